/**
 * Veth pairs: the host's end a port of the bridge, the peer born inside the sandbox with its final name, MAC and MTU.
 *
 * Two exchanges make a pair: create it; then, posted to travel with what else is to be done, mark the host's end, make it a port
 * and set its flags, and bring up the peer, which cannot be born up (ENOTCONN: the kernel joins the ends after their birth).
 */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { Place, VethResource } from '../plan/resource.ts';
import { observed, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import {
  createVeth,
  deleteLink,
  getLink,
  parseLink,
  parseLinkNumbers,
  setBridgePort,
  setLink,
  type Link,
  withoutLinkLocal,
} from './link-message.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import { isOurs, macOfTag } from './ownership.ts';
import { findLinks, isGone, replyIn, type Scene } from './scene.ts';
import { seenLinks } from './seen-links.ts';
import type { Outcome } from './netlink-socket.ts';
import { accepting, take, tryAll, type Step } from './steps.ts';
import { hostDifferences, isPair, peerDifferences } from './veth-differences.ts';

/** Each pair of a run needs the open file of its namespace: fewer than a scene keeps open. */
const PAIRS_AT_ONCE = 16;

/** The host's end that was found; of one that was made, its number and that of its other end. */
type HostEnd =
  | { readonly fresh: true; readonly host: Pick<Link, 'index' | 'lower'> }
  | { readonly fresh: false; readonly host: Link };

type Pair = HostEnd & {
  readonly veth: VethResource;
  /** Index of the bridge that the host's end belongs to. */
  readonly master: number | undefined;
};

/** `rulesKeepApart`: asked each time, since an administrator may switch it at any moment (see bridged-frames.ts). */
export function vethExecutor(rulesKeepApart: () => boolean): Executor<'veth'> {
  const asPort = (veth: VethResource): VethResource =>
    veth.isolated && rulesKeepApart() ? { ...veth, isolated: false } : veth;
  return {
    async ensure(wanted, scene) {
      const veths = wanted.map(asPort).filter(({ handOver }) => handOver !== 'done');
      await mendTaken(
        wanted.map(asPort).filter(({ handOver }) => handOver === 'done'),
        scene,
      );
      for (let at = 0; at < veths.length; at += PAIRS_AT_ONCE) {
        await ensurePairs(veths.slice(at, at + PAIRS_AT_ONCE), scene);
      }
    },

    async remove(veths, scene) {
      const links = await findLinks(
        scene,
        'host',
        veths.map(({ host }) => host),
      );
      const steps = veths.flatMap((veth, index): Step[] => {
        const link = links[index];
        if (link === undefined || !isOurs(link, ownMark(veth))) return [];
        return [{ attempt: `delete veth ${veth.host}`, request: deleteLink(link.index) }];
      });
      return tryAll(scene.host, steps, ['ENODEV']);
    },

    async observe(veths, scene) {
      const masters = await scene.linkIndices('host', mastersOf(veths));
      const links = await seenLinks(
        scene,
        'host',
        veths.map(({ host }) => host),
      );
      const observations: Observation[] = [];
      for (const [index, resource] of veths.entries()) {
        const observation = await observeOne(asPort(resource), links[index], masters, scene);
        observations.push({ ...observation, resource });
      }
      return observations;
    },
  };
}

async function observeOne(
  resource: VethResource,
  host: Link | undefined,
  masters: ReadonlyMap<string, number>,
  scene: Scene,
): Promise<Observation> {
  if (host === undefined) return { resource, state: 'missing' };
  if (!isOurs(host, ownMark(resource))) {
    return observed(resource, [`${host.name} is not ours: alias "${host.alias ?? ''}"`]);
  }
  try {
    const master = resource.master === undefined ? undefined : masters.get(resource.master);
    if (resource.handOver === 'done') return observed(resource, hostDifferences(resource, host, master));
    const [peer] = await seenLinks(scene, placeOfPeer(resource), [resource.peer]);
    return observed(resource, [...hostDifferences(resource, host, master), ...peerDifferences(resource, host, peer)]);
  } catch (error) {
    if (isGone(error)) return { resource, state: 'missing' };
    throw error;
  }
}

/** The host's ends of pairs whose peers a runtime has: mended, never made. */
async function mendTaken(veths: readonly VethResource[], scene: Scene): Promise<void> {
  if (veths.length === 0) return;
  const masters = await scene.linkIndices('host', mastersOf(veths));
  const links = await findLinks(
    scene,
    'host',
    veths.map(({ host }) => host),
  );
  for (const [index, veth] of veths.entries()) {
    const host = links[index];
    if (host === undefined) throw takenAndGone(veth);
    if (!isOurs(host, ownMark(veth))) throw hostNameTaken(veth, host);
    const master = veth.master === undefined ? undefined : masters.get(veth.master);
    if (veth.master !== undefined && master === undefined) throw bridgeMissing(veth);
    scene.post('host', hostEnd({ veth, host, fresh: false, master }));
  }
}

/** Where the peer is as long as no runtime has it. */
function placeOfPeer({ sandbox, handOver }: VethResource): Place {
  return handOver === undefined ? { sandbox } : 'host';
}

function mastersOf(veths: readonly VethResource[]): string[] {
  return veths.flatMap(({ master }) => (master === undefined ? [] : [master]));
}

async function ensurePairs(veths: readonly VethResource[], scene: Scene): Promise<void> {
  const broken: Pair[] = [];
  for (const pair of await create(veths, scene)) {
    if (await ensurePeer(pair, scene)) scene.post('host', hostEnd(pair));
    else broken.push(pair);
  }
  if (broken.length === 0) return;
  await take(
    scene.host,
    broken.map(({ veth, host }) => ({ attempt: `replace veth ${veth.host}`, request: deleteLink(host.index) })),
  );
  await ensurePairs(
    broken.map(({ veth }) => veth),
    scene,
  );
}

/** The proof that a host's end is ours even before it has its alias. */
function ownMark(veth: VethResource): { readonly tag: string; readonly mac: string } {
  return { tag: veth.tag, mac: macOfTag(veth.tag) };
}

/** Creates the pairs that are not there; all pairs, new and old. Throws where a name is somebody else's. */
async function create(veths: readonly VethResource[], scene: Scene): Promise<Pair[]> {
  const bridges = [...new Set(mastersOf(veths))];
  const outcomes = await scene.host.batch([
    ...bridges.map(getLink),
    ...veths.flatMap((veth) => [creation(veth, scene), getLink(veth.host)]),
  ]);
  const masters = new Map(
    bridges.map((bridge, index) => {
      const reply = replyIn(outcomes[index], `look for bridge ${bridge}`);
      return [bridge, reply && parseLinkNumbers(reply).index];
    }),
  );
  return veths.map((veth, index): Pair => {
    const master = veth.master === undefined ? undefined : masters.get(veth.master);
    const at = bridges.length + index * 2;
    const host = hostEndIn(veth, outcomes[at], outcomes[at + 1], scene);
    if (veth.master !== undefined && master === undefined) throw bridgeMissing(veth);
    return { veth, master, ...host };
  });
}

/** The host's end is brought up when it becomes a port, so that it never lives as a link of its own. */
function creation(veth: VethResource, scene: Scene): NetlinkRequest {
  return createVeth(
    { name: veth.host, mtu: veth.mtu, mac: macOfTag(veth.tag) },
    { name: veth.peer, mtu: veth.mtu, mac: veth.mac },
    veth.handOver === undefined ? scene.namespaceFile(veth.sandbox) : undefined,
  );
}

function hostEndIn(
  veth: VethResource,
  created: Outcome | undefined,
  looked: Outcome | undefined,
  scene: Scene,
): HostEnd {
  const refusal = created?.refusal;
  const attempt = `create veth ${veth.host} with ${veth.peer} in ${scene.describe(placeOfPeer(veth))}`;
  if (refusal !== undefined && refusal.code !== 'EEXIST') throw refused(attempt, refusal);
  const reply = replyIn(looked, `look for veth ${veth.host}`);
  if (reply === undefined) throw refusal === undefined ? vanished(attempt) : peerNameTaken(veth, scene);
  if (refusal === undefined) return { fresh: true, host: parseLinkNumbers(reply) };
  const host = parseLink(reply);
  if (!isOurs(host, ownMark(veth))) throw hostNameTaken(veth, host);
  return { fresh: false, host };
}

function bridgeMissing(veth: VethResource): TsnetError {
  return new TsnetError(
    'KERNEL',
    `cannot join veth ${veth.host} to bridge ${veth.master ?? ''}: there is no such link; run tsnet repair`,
  );
}

function vanished(attempt: string): TsnetError {
  return new TsnetError('KERNEL', `cannot ${attempt}: it disappeared as soon as it was made; did its namespace end?`);
}

function peerNameTaken(veth: VethResource, scene: Scene): TsnetError {
  const where = scene.describe(placeOfPeer(veth));
  return new TsnetError(
    'CONFLICT',
    `cannot create ${veth.peer} in ${where}: a link of that name is there already; name another interface or delete that one`,
  );
}

function takenAndGone({ host }: VethResource): TsnetError {
  return new TsnetError(
    'KERNEL',
    `cannot make veth ${host} anew: its other end was the runtime's to set up, and went with it; restart the container`,
  );
}

function hostNameTaken(veth: VethResource, link: Link): TsnetError {
  return new TsnetError(
    'CONFLICT',
    `cannot create veth ${veth.host}: a link of that name is on the host already and is not ours (alias "${link.alias ?? ''}"); delete or rename it`,
  );
}

/** Brings up and mends the peer; false if the pair must be made anew because its peer is not where it should be. */
async function ensurePeer({ veth, host, fresh }: Pair, scene: Scene): Promise<boolean> {
  const place = placeOfPeer(veth);
  const attempt = `set up ${veth.peer} in ${scene.describe(place)}`;
  if (fresh) {
    if (host.lower === undefined) throw vanished(attempt);
    if (veth.handOver !== undefined) return true;
    scene.remember(place, veth.peer, host.lower);
    scene.post(place, [{ attempt, request: setLink(host.lower, { up: true }) }]);
    return true;
  }
  const [peer] = await findLinks(scene, place, [veth.peer]);
  if (peer === undefined || !isPair(host, peer)) return false;
  if (veth.handOver === undefined && peerDifferences(veth, host, peer).length > 0) {
    const { mac, mtu } = veth.tuning ?? veth;
    const wanted = { up: true, ...(mac === undefined ? {} : { mac }), ...(mtu === undefined ? {} : { mtu }) };
    scene.post(place, [{ attempt, request: setLink(peer.index, wanted) }]);
  }
  return true;
}

/** Marks the host's end ours, makes it a port and brings it up. */
function hostEnd({ veth, host, fresh, master }: Pair): Step[] {
  if (!fresh && hostDifferences(veth, host, master).length === 0) return [];
  const attempt = `set up veth ${veth.host}`;
  const up = {
    attempt,
    request: setLink(host.index, { up: true, mtu: veth.mtu, alias: veth.tag, master: master ?? 0 }),
  };
  if (master === undefined) return [up];
  return [
    ...(fresh || !host.up ? [accepting('EAFNOSUPPORT', { attempt, request: withoutLinkLocal(host.index) })] : []),
    up,
    { attempt, request: setBridgePort(host.index, veth) },
  ];
}
