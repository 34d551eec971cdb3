/**
 * Where one call to the kernel layer takes place: the host's socket, sockets and files of the sandboxes, what was seen on
 * the way. It lives as long as the call and closes what it opened.
 */
import { closeSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';
import type { Netns } from '../model/records.ts';
import type { Namespaces } from '../plan/kernel.ts';
import type { Place } from '../plan/resource.ts';
import { refused } from './kernel-refusal.ts';
import { getLink, parseLink, type Link } from './link-message.ts';
import { inNetns, openNetns } from './netns.ts';
import { NetlinkSocket, type Outcome } from './netlink-socket.ts';

/** A look at every container of a host must not need a descriptor for each: the sandbox longest open goes first. */
const MOST_OPEN_SANDBOXES = 64;

interface OpenSandbox {
  readonly fd: number;
  socket: NetlinkSocket | undefined;
}

export class Scene {
  /** The host's socket; it outlives the scene. */
  readonly host: NetlinkSocket;
  readonly #namespaces: Namespaces;
  readonly #open = new Map<string, OpenSandbox>();
  readonly #indices = new Map<string, number>();
  readonly #snapshots = new Map<string, unknown>();

  constructor(host: NetlinkSocket, namespaces: Namespaces) {
    this.host = host;
    this.#namespaces = namespaces;
  }

  /** The socket of a place. Throws TsnetError NOT_FOUND when the sandbox's namespace is gone. */
  async socket(place: Place): Promise<NetlinkSocket> {
    if (place === 'host') return this.host;
    const sandbox = this.#enterable(place.sandbox);
    sandbox.socket ??= inNetns(sandbox.fd, () => new NetlinkSocket('route'));
    const { socket } = sandbox;
    await this.#closeOldest();
    return socket;
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
    const done = inNetns(this.#enterable(place.sandbox).fd, act);
    await this.#closeOldest();
    return done;
  }

  /** The open file of a sandbox's namespace; good until the scene goes on to other sandboxes. */
  namespaceFile(sandbox: string): number {
    return this.#enterable(sandbox).fd;
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
  async snapshot<T>(place: Place, key: string, read: () => Promise<T>): Promise<T> {
    const name = indexKey(place, key);
    if (!this.#snapshots.has(name)) this.#snapshots.set(name, await read());
    return this.#snapshots.get(name) as T;
  }

  async close(): Promise<void> {
    for (const sandbox of [...this.#open.keys()]) await this.#close(sandbox);
  }

  #namespace(sandbox: string): Netns {
    const netns = this.#namespaces.get(sandbox);
    if (netns !== undefined) return netns;
    throw new TsnetError('NOT_FOUND', `sandbox ${sandbox} has no network namespace any more; run tsnet gc`);
  }

  #enterable(sandbox: string): OpenSandbox {
    const known = this.#open.get(sandbox);
    if (known !== undefined) return known;
    const opened: OpenSandbox = { fd: openNetns(this.#namespace(sandbox)), socket: undefined };
    this.#open.set(sandbox, opened);
    return opened;
  }

  async #closeOldest(): Promise<void> {
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN_SANDBOXES) return;
      await this.#close(oldest);
    }
  }

  async #close(sandbox: string): Promise<void> {
    const open = this.#open.get(sandbox);
    if (open === undefined) return;
    this.#open.delete(sandbox);
    closeSync(open.fd);
    await open.socket?.close();
  }
}

function indexKey(place: Place, name: string): string {
  return `${place === 'host' ? '' : place.sandbox}/${name}`;
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
  if (outcome?.refusal !== undefined && outcome.refusal.code !== 'ENODEV') throw refused(attempt, outcome.refusal);
  const reply = outcome?.replies[0];
  return reply === undefined ? undefined : parseLink(reply);
}
