/**
 * Where one call to the kernel layer takes place: the host's socket, sockets and files of the sandboxes, what was seen on
 * the way. It lives as long as the call and closes what it opened.
 *
 * Requests whose answer nobody needs in order to go on are not sent one executor after another: they are posted, and travel
 * together, all of a namespace in one exchange, the namespaces side by side.
 */
import { TsnetError } from '../model/error.ts';
import type { Netns } from '../model/records.ts';
import type { Namespaces } from '../plan/kernel.ts';
import type { Place } from '../plan/resource.ts';
import { refused } from './kernel-refusal.ts';
import { getLink, parseLink, type Link } from './link-message.ts';
import type { NetlinkSocket, Outcome } from './netlink-socket.ts';
import type { OpenSandbox, OpenSandboxes } from './open-sandboxes.ts';
import { take, type Step } from './steps.ts';

/** A look at every container of a host must not need a descriptor for each: the sandbox longest open goes first. */
const MOST_OPEN_SANDBOXES = 64;
/** Namespaces that posted requests go to at the same time: fewer than are kept open. */
const PLACES_AT_ONCE = 32;

export class Scene {
  /** The host's socket; it outlives the scene. */
  readonly host: NetlinkSocket;
  /**
   * Routes that the kernel makes with an address that is being added (`connectedKey`), and the steps that make them where it
   * does not, since the address was there before.
   */
  readonly connected = new Map<string, Step[]>();
  readonly #namespaces: Namespaces;
  readonly #sandboxes: OpenSandboxes;
  /** The one used last is the last. */
  readonly #open = new Map<string, OpenSandbox>();
  readonly #posted = new Map<string, { readonly place: Place; readonly steps: Step[] }>();
  readonly #indices = new Map<string, number>();
  readonly #snapshots = new Map<string, Promise<unknown>>();

  constructor(host: NetlinkSocket, namespaces: Namespaces, sandboxes: OpenSandboxes) {
    this.host = host;
    this.#namespaces = namespaces;
    this.#sandboxes = sandboxes;
  }

  /** The socket of a place. Throws TsnetError NOT_FOUND when the sandbox's namespace is gone. */
  async socket(place: Place): Promise<NetlinkSocket> {
    if (place === 'host') return this.host;
    const socket = this.#enterable(place.sandbox).socket();
    await this.#leaveOldest();
    return socket;
  }

  /** Leaves steps to be taken in this order, together with all others in the place, by `settle`. */
  post(place: Place, steps: readonly Step[]): void {
    const key = indexKey(place, '');
    const posted = this.#posted.get(key);
    if (posted === undefined) this.#posted.set(key, { place, steps: [...steps] });
    else posted.steps.push(...steps);
  }

  /** Takes all steps that were posted, the host's first; throws the first failure once nothing is on its way any more. */
  async settle(): Promise<void> {
    const places = [...this.#posted.values()].sort((a, b) => Number(b.place === 'host') - Number(a.place === 'host'));
    this.#posted.clear();
    for (let at = 0; at < places.length; at += PLACES_AT_ONCE) {
      const done = await Promise.allSettled(
        places.slice(at, at + PLACES_AT_ONCE).map(async ({ place, steps }) => take(await this.socket(place), steps)),
      );
      const failed = done.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }

  /** The socket of a place; undefined when there is no such namespace any more. */
  async socketIfThere(place: Place): Promise<NetlinkSocket | undefined> {
    try {
      return await this.socket(place);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
  }

  /** Does one synchronous thing inside a place. */
  async inside<T>(place: Place, act: () => T): Promise<T> {
    if (place === 'host') return act();
    const done = this.#enterable(place.sandbox).inside(act);
    await this.#leaveOldest();
    return done;
  }

  /** The open file of a sandbox's namespace; good until the scene goes on to other sandboxes. */
  namespaceFile(sandbox: string): number {
    return this.#enterable(sandbox).file();
  }

  /** Where the namespace of a sandbox is bound, or of what process it is. */
  path(sandbox: string): string {
    return this.#namespace(sandbox).path;
  }

  /** "the host", "/run/netns/web" */
  describe(place: Place): string {
    return place === 'host' ? 'the host' : (this.#namespaces.get(place.sandbox)?.path ?? `sandbox ${place.sandbox}`);
  }

  /** Indices of links by name, undefined for those that are not there. Links seen earlier in the scene are not asked for again. */
  async linkIndices(place: Place, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const unknown = [...new Set(names)].filter((name) => !this.#indices.has(indexKey(place, name)));
    if (unknown.length > 0) await findLinks(this, place, unknown);
    return new Map(
      names.flatMap((name) => {
        const index = this.#indices.get(indexKey(place, name));
        return index === undefined ? [] : [[name, index] as const];
      }),
    );
  }

  remember(place: Place, name: string, index: number): void {
    this.#indices.set(indexKey(place, name), index);
  }

  /** The first answer of `read` for this key: comparing a thousand routes of the host reads its table once. */
  snapshot<T>(place: Place, key: string, read: () => Promise<T>): Promise<T> {
    const name = indexKey(place, key);
    const known = this.#snapshots.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const reading = read();
    this.#snapshots.set(name, reading);
    return reading;
  }

  async close(): Promise<void> {
    for (const sandbox of [...this.#open.keys()]) await this.#leave(sandbox);
  }

  #namespace(sandbox: string): Netns {
    const netns = this.#namespaces.get(sandbox);
    if (netns !== undefined) return netns;
    throw new TsnetError('NOT_FOUND', `sandbox ${sandbox} has no network namespace any more; run tsnet gc`);
  }

  #enterable(sandbox: string): OpenSandbox {
    const open = this.#open.get(sandbox) ?? this.#sandboxes.enter(this.#namespace(sandbox));
    this.#open.delete(sandbox);
    this.#open.set(sandbox, open);
    return open;
  }

  async #leaveOldest(): Promise<void> {
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN_SANDBOXES) return;
      await this.#leave(oldest);
    }
  }

  async #leave(sandbox: string): Promise<void> {
    const open = this.#open.get(sandbox);
    this.#open.delete(sandbox);
    await open?.leave();
  }
}

function indexKey(place: Place, name: string): string {
  return `${place === 'host' ? '' : place.sandbox}/${name}`;
}

/** Names the route to the subnet of an address on a link. */
export function connectedKey(place: Place, link: string, subnet: string): string {
  return `${indexKey(place, link)} ${subnet}`;
}

/** Whether an error says that a sandbox's namespace is no more. */
export function isGone(error: unknown): boolean {
  return error instanceof TsnetError && error.code === 'NOT_FOUND';
}

/** The links of these names, undefined for those that are not there, in the order given. */
export async function findLinks(scene: Scene, place: Place, names: readonly string[]): Promise<(Link | undefined)[]> {
  const socket = await scene.socket(place);
  const outcomes = await socket.batch(names.map(getLink));
  return names.map((name, index) => {
    const link = linkIn(outcomes[index], `look for link ${name} in ${scene.describe(place)}`);
    if (link !== undefined) scene.remember(place, name, link.index);
    return link;
  });
}

/** The answer to `getLink`; undefined if there is no such link. */
export function linkIn(outcome: Outcome | undefined, attempt: string): Link | undefined {
  const reply = replyIn(outcome, attempt);
  return reply && parseLink(reply);
}

/** The same as it came. */
export function replyIn(outcome: Outcome | undefined, attempt: string): Buffer | undefined {
  if (outcome?.refusal !== undefined && outcome.refusal.code !== 'ENODEV') throw refused(attempt, outcome.refusal);
  return outcome?.replies[0];
}
