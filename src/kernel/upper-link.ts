/**
 * Links that stand on another link, or on none, and have no second end: macvlan, ipvlan, vlan, dummy, ifb.
 *
 * Two exchanges make one: look for it and for its parent; then create it (a message to the host, which knows the parent; the
 * link is born in its own namespace), give it its alias there and ask what came of it. It stays down: `link-up` follows.
 */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type {
  DummyResource,
  IfbResource,
  IpvlanResource,
  LinkTuning,
  MacvlanResource,
  Place,
  VlanResource,
} from '../plan/resource.ts';
import { observed, type Executor } from './executor.ts';
import { refused, type KernelRefusal } from './kernel-refusal.ts';
import { createUpperLink, deleteLink, getLink, setLink, type Link } from './link-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { readAttributes, type Attributes } from './netlink-attribute.ts';
import { findLinks, isGone, linkIn, type Scene } from './scene.ts';
import { take, tryAll } from './steps.ts';

type UpperLink = MacvlanResource | IpvlanResource | VlanResource | DummyResource | IfbResource;

/** What one kind does in its own way. */
export interface UpperLinkKind<R extends UpperLink> {
  readonly kind: R['kind'];
  /** What the kernel must have been built with, and what to do where it was not: "CONFIG_MACVLAN (module macvlan)". */
  readonly needs: string;
  /** Whose a link is that has no alias and is as it should be: what we were making when we were cut off, or somebody else's. */
  readonly untagged: 'ours' | 'theirs';
  /** Attributes of IFLA_INFO_DATA. */
  readonly data: (resource: R) => readonly Buffer[];
  /** How what it was born with differs, in words; only a new link mends that. */
  readonly unlike: (resource: R, data: Attributes) => readonly string[];
  /** Why the kernel refused to create it, where its own words do not tell. */
  readonly explain?: (resource: R, code: string) => string | undefined;
}

export function upperLinkExecutor<R extends UpperLink>(of: UpperLinkKind<R>): Executor<R['kind']>;
export function upperLinkExecutor<R extends UpperLink>(of: UpperLinkKind<R>) {
  return {
    async ensure(resources: readonly R[], scene: Scene): Promise<void> {
      for (const resource of resources) if (!isTaken(resource)) await ensureOne(of, resource, scene);
    },

    async remove(resources: readonly R[], scene: Scene): Promise<readonly TsnetError[]> {
      const failures: TsnetError[] = [];
      for (const resource of resources) {
        const socket = await scene.socketIfThere(placeOf(resource));
        if (socket === undefined) continue;
        const { link, parent } = await look(resource, scene);
        if (link === undefined || !isOurs(of, resource, link, parent)) continue;
        const step = { attempt: `delete ${words(resource, scene)}`, request: deleteLink(link.index) };
        failures.push(...(await tryAll(socket, [step], ['ENODEV'])));
      }
      return failures;
    },

    async observe(resources: readonly R[], scene: Scene): Promise<Observation[]> {
      const observations: Observation[] = [];
      for (const resource of resources) observations.push(await observeOne(of, resource, scene));
      return observations;
    },
  };
}

async function ensureOne<R extends UpperLink>(of: UpperLinkKind<R>, resource: R, scene: Scene): Promise<void> {
  const place = placeOf(resource);
  const socket = await scene.socket(place);
  const { link, parent } = await look(resource, scene);
  if (link === undefined) {
    await make(of, resource, { parent: requireParent(resource, parent, scene), socket, scene });
    return;
  }
  const isForeign = !isOurs(of, resource, link, parent);
  if (isForeign && !isLent(of, resource, link, parent)) throw nameTaken(resource, link, scene);
  if (isForeign) return;
  if (natureDifferences(of, resource, link, parent).length > 0) {
    await take(socket, [{ attempt: `replace ${words(resource, scene)}`, request: deleteLink(link.index) }]);
    await make(of, resource, { parent: requireParent(resource, parent, scene), socket, scene });
    return;
  }
  if (settingDifferences(resource, link).length === 0) return;
  const request = setLink(link.index, { ...tuned(resource), alias: resource.tag });
  scene.post(place, [{ attempt: `set up ${words(resource, scene)}`, request }]);
}

interface Making {
  readonly parent: Link | undefined;
  /** Of the place that the link is born in. */
  readonly socket: NetlinkSocket;
  readonly scene: Scene;
}

/** Makes a link that was not there a moment ago, and marks it. The kernel is done with a message when it is sent: so all go at once. */
async function make<R extends UpperLink>(
  of: UpperLinkKind<R>,
  resource: R,
  { parent, socket, scene }: Making,
): Promise<void> {
  const place = placeOf(resource);
  const birth = createUpperLink(
    { name: resource.name, ...changeable(resource) },
    {
      kind: of.kind,
      data: of.data(resource),
      ...(parent === undefined ? {} : { lower: parent.index }),
      ...(place === 'host' ? {} : { netns: scene.namespaceFile(place.sandbox) }),
    },
  );
  const mark = [setLink(resource.name, { alias: resource.tag }), getLink(resource.name)];
  const [[made], [marked, seen]] =
    place === 'host'
      ? await scene.host.batch([birth, ...mark]).then(([first, ...rest]) => [[first], rest] as const)
      : await Promise.all([scene.host.batch([birth]), socket.batch(mark)]);
  const link = linkIn(seen, `look for ${words(resource, scene)}`);
  if (made?.refusal !== undefined) {
    // Somebody else was faster: the link is theirs, and so is its alias.
    if (link?.alias === resource.tag) await socket.batch([setLink(link.index, { alias: '' })]);
    throw notCreated(of, resource, made.refusal, scene);
  }
  if (marked?.refusal !== undefined) throw refused(`mark ${words(resource, scene)}`, marked.refusal);
  if (link !== undefined) scene.remember(place, resource.name, link.index);
}

async function observeOne<R extends UpperLink>(of: UpperLinkKind<R>, resource: R, scene: Scene): Promise<Observation> {
  // Where a runtime has it nobody looks.
  if (isTaken(resource)) return { resource, state: 'present' };
  try {
    const { link, parent } = await look(resource, scene);
    if (link === undefined) return { resource, state: 'missing' };
    if (isLent(of, resource, link, parent)) return { resource, state: 'present' };
    if (!isOurs(of, resource, link, parent)) {
      return observed(resource, [`${link.name} is not ours: alias "${link.alias ?? ''}"`]);
    }
    return observed(resource, [
      ...natureDifferences(of, resource, link, parent),
      ...settingDifferences(resource, link),
    ]);
  } catch (error) {
    if (isGone(error)) return { resource, state: 'missing' };
    throw error;
  }
}

async function look(
  resource: UpperLink,
  scene: Scene,
): Promise<{ readonly link: Link | undefined; readonly parent: Link | undefined }> {
  const [[link], parent] = await Promise.all([
    findLinks(scene, placeOf(resource), [resource.name]),
    parentOf(resource, scene),
  ]);
  return { link, parent };
}

async function parentOf(resource: UpperLink, scene: Scene): Promise<Link | undefined> {
  if (!('parent' in resource)) return undefined;
  const { parent } = resource;
  return scene.snapshot('host', `parent ${parent}`, async () => (await findLinks(scene, 'host', [parent]))[0]);
}

function requireParent(resource: UpperLink, parent: Link | undefined, scene: Scene): Link | undefined {
  if (parent !== undefined || !('parent' in resource)) return parent;
  throw new TsnetError(
    'KERNEL',
    `cannot create ${words(resource, scene)}: there is no link ${resource.parent} on the host; bring it back and run tsnet repair`,
  );
}

function isTaken(resource: UpperLink): boolean {
  return 'handOver' in resource && resource.handOver === 'done';
}

function placeOf(resource: UpperLink): Place {
  return 'place' in resource ? resource.place : 'host';
}

/** An alias decides. Before it has one, only a link of ours has this kind, this MAC and stands on this parent. */
function isOurs<R extends UpperLink>(of: UpperLinkKind<R>, resource: R, link: Link, parent: Link | undefined): boolean {
  if (link.alias !== undefined) return link.alias === resource.tag;
  if (of.untagged === 'theirs') return false;
  const { mac } = changeable(resource);
  return link.kind === of.kind && stands(link, parent) && (mac === undefined || link.mac === mac.toLowerCase());
}

/** Somebody else's link that will do as well: it is used and left. */
function isLent<R extends UpperLink>(of: UpperLinkKind<R>, resource: R, link: Link, parent: Link | undefined): boolean {
  return (
    of.untagged === 'theirs' && link.alias === undefined && natureDifferences(of, resource, link, parent).length === 0
  );
}

/** On a parent of the same kind the kernel puts a link beside it, on what is below both. */
function stands(link: Link, parent: Link | undefined): boolean {
  if (parent === undefined) return link.kind === 'dummy' || link.kind === 'ifb';
  return link.lower === parent.index || (parent.kind === link.kind && link.lower === parent.lower);
}

function natureDifferences<R extends UpperLink>(
  of: UpperLinkKind<R>,
  resource: R,
  link: Link,
  parent: Link | undefined,
): string[] {
  if (link.kind !== of.kind) return [`${link.name} is a ${link.kind ?? 'hardware'} link`];
  if (!stands(link, parent)) return [`${link.name} does not stand on ${'parent' in resource ? resource.parent : ''}`];
  return [...of.unlike(resource, readAttributes(link.data ?? Buffer.alloc(0)))];
}

function settingDifferences(resource: UpperLink, link: Link): string[] {
  const { mac, mtu } = tuned(resource);
  return [
    ...(link.alias === resource.tag ? [] : [`alias of ${link.name} is "${link.alias ?? ''}"`]),
    ...(mac === undefined || link.mac === mac.toLowerCase()
      ? []
      : [`MAC of ${link.name} is ${link.mac} instead of ${mac}`]),
    ...(mtu === undefined || link.mtu === mtu ? [] : [`mtu of ${link.name} is ${link.mtu} instead of ${mtu}`]),
  ];
}

/** What of both it is made with. */
function changeable(resource: UpperLink): LinkTuning {
  const { mac, mtu } = resource as Partial<Pick<MacvlanResource, 'mac' | 'mtu'>>;
  return { ...(mac === undefined ? {} : { mac }), ...(mtu === undefined ? {} : { mtu }) };
}

/** What of both it should have now. */
function tuned(resource: UpperLink): LinkTuning {
  return ('tuning' in resource ? resource.tuning : undefined) ?? changeable(resource);
}

function notCreated<R extends UpperLink>(
  of: UpperLinkKind<R>,
  resource: R,
  refusal: KernelRefusal,
  scene: Scene,
): TsnetError {
  const attempt = `create ${words(resource, scene)}`;
  if (refusal.code === 'EEXIST') {
    return new TsnetError(
      'CONFLICT',
      `cannot ${attempt}: there is one like it under another name, or somebody has just made it; look with ip link`,
      { cause: refusal },
    );
  }
  if (refusal.code === 'EOPNOTSUPP') {
    return new TsnetError(
      'UNSUPPORTED',
      `cannot ${attempt}: this kernel has no ${of.kind} links; it needs ${of.needs}`,
      { cause: refusal },
    );
  }
  const why = of.explain?.(resource, refusal.code);
  return why === undefined
    ? refused(attempt, refusal)
    : new TsnetError('CONFLICT', `cannot ${attempt}: ${why}`, { cause: refusal });
}

function nameTaken(resource: UpperLink, link: Link, scene: Scene): TsnetError {
  return new TsnetError(
    'CONFLICT',
    `cannot create ${words(resource, scene)}: a link of that name is there already and is not ours (alias "${link.alias ?? ''}"); delete or rename it`,
  );
}

function words(resource: UpperLink, scene: Scene): string {
  const place = placeOf(resource);
  const where = place === 'host' ? '' : ` in ${scene.describe(place)}`;
  return `${resource.kind} ${resource.name}${where}${'parent' in resource ? ` on ${resource.parent}` : ''}`;
}
