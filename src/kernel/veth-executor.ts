/**
 * Veth pairs: the host's end a port of the bridge, the peer born inside the sandbox with its final name, MAC and MTU.
 *
 * Four exchanges make a pair: look for the bridge, create, mark the host's end and set its port flags, bring up the peer
 * (the kernel refuses to be born up with ENOTCONN, since the pair is joined after its birth).
 */
import { closeSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { Place, VethResource } from '../plan/resource.ts';
import { observed, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import { createVeth, deleteLink, getLink, setBridgePort, setLink, type Link } from './link-message.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import { isOurs, macOfTag } from './ownership.ts';
import { findLinks, isGone, linkIn, type Scene } from './scene.ts';
import { take, tryAll, type Step } from './steps.ts';

/** Each pair of a run needs an open file of its namespace. */
const PAIRS_AT_ONCE = 16;

/** A pair with the links found for it. */
interface Pair {
  readonly veth: VethResource;
  readonly host: Link;
  readonly fresh: boolean;
}

export const vethExecutor: Executor<'veth'> = {
  async ensure(veths, scene) {
    const masters = await masterIndices(veths, scene);
    for (let at = 0; at < veths.length; at += PAIRS_AT_ONCE) {
      const pairs = await create(veths.slice(at, at + PAIRS_AT_ONCE), masters, scene);
      const broken: VethResource[] = [];
      for (const pair of pairs) {
        if (!(await ensurePeer(pair, scene))) broken.push(pair.veth);
      }
      const whole = pairs.filter(({ veth }) => !broken.includes(veth));
      await ensureHostEnds([...whole, ...(await replace(broken, pairs, masters, scene))], masters, scene);
    }
  },

  async remove(veths, scene) {
    const links = await findLinks(scene, 'host', veths.map(({ host }) => host));
    const steps = veths.flatMap((veth, index): Step[] => {
      const link = links[index];
      if (link === undefined || !isOurs(link, ownMark(veth))) return [];
      return [{ attempt: `delete veth ${veth.host}`, request: deleteLink(link.index) }];
    });
    return tryAll(scene.host, steps, ['ENODEV']);
  },

  async observe(veths, scene) {
    const masters = await scene.linkIndices('host', mastersOf(veths));
    const links = await findLinks(scene, 'host', veths.map(({ host }) => host));
    const observations: Observation[] = [];
    for (const [index, resource] of veths.entries()) {
      observations.push(await observeOne(resource, links[index], masters, scene));
    }
    return observations;
  },
};

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
    const [peer] = await findLinks(scene, { sandbox: resource.sandbox }, [resource.peer]);
    const master = resource.master === undefined ? undefined : masters.get(resource.master);
    return observed(resource, [...hostDifferences(resource, host, master), ...peerDifferences(resource, host, peer)]);
  } catch (error) {
    if (isGone(error)) return { resource, state: 'missing' };
    throw error;
  }
}

function mastersOf(veths: readonly VethResource[]): string[] {
  return veths.flatMap(({ master }) => (master === undefined ? [] : [master]));
}

async function masterIndices(veths: readonly VethResource[], scene: Scene): Promise<ReadonlyMap<string, number>> {
  const masters = await scene.linkIndices('host', mastersOf(veths));
  const orphaned = veths.find(({ master }) => master !== undefined && !masters.has(master));
  if (orphaned === undefined) return masters;
  throw new TsnetError('KERNEL', `cannot create veth ${orphaned.host}: there is no bridge ${orphaned.master ?? ''}; run tsnet repair`);
}

/** The proof that a host's end is ours even before it has its alias. */
function ownMark(veth: VethResource): { readonly tag: string; readonly mac: string } {
  return { tag: veth.tag, mac: macOfTag(veth.tag) };
}

/** Creates the pairs that are not there; all host ends, new and old. Throws where a name is somebody else's. */
async function create(veths: readonly VethResource[], masters: ReadonlyMap<string, number>, scene: Scene): Promise<Pair[]> {
  const namespaces: number[] = [];
  try {
    const requests = veths.flatMap((veth): NetlinkRequest[] => {
      const fd = scene.openNamespace(veth.sandbox);
      namespaces.push(fd);
      return [creation(veth, masters, fd), getLink(veth.host)];
    });
    const outcomes = await scene.host.batch(requests);
    return veths.map((veth, index): Pair => {
      const refusal = outcomes[index * 2]?.refusal;
      const host = linkIn(outcomes[index * 2 + 1], `look for veth ${veth.host}`);
      const attempt = `create veth ${veth.host} with ${veth.peer} in ${scene.describe({ sandbox: veth.sandbox })}`;
      if (refusal !== undefined && refusal.code !== 'EEXIST') throw refused(attempt, refusal);
      if (host === undefined) throw refusal === undefined ? vanished(attempt) : peerNameTaken(veth, scene);
      if (!isOurs(host, ownMark(veth))) throw hostNameTaken(veth, host);
      return { veth, host, fresh: refusal === undefined };
    });
  } finally {
    namespaces.forEach((fd) => {
      closeSync(fd);
    });
  }
}

function creation(veth: VethResource, masters: ReadonlyMap<string, number>, netns: number): NetlinkRequest {
  const master = veth.master === undefined ? undefined : masters.get(veth.master);
  return createVeth(
    {
      name: veth.host,
      up: true,
      mtu: veth.mtu,
      mac: macOfTag(veth.tag),
      ...(master === undefined ? {} : { master }),
    },
    { name: veth.peer, mtu: veth.mtu, mac: veth.mac },
    netns,
  );
}

function vanished(attempt: string): TsnetError {
  return new TsnetError('KERNEL', `cannot ${attempt}: it disappeared as soon as it was made; did its namespace end?`);
}

function peerNameTaken(veth: VethResource, scene: Scene): TsnetError {
  const where = scene.describe({ sandbox: veth.sandbox });
  return new TsnetError(
    'CONFLICT',
    `cannot create ${veth.peer} in ${where}: a link of that name is there already; name another interface or delete that one`,
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
  const place: Place = { sandbox: veth.sandbox };
  const socket = await scene.socket(place);
  const attempt = `set up ${veth.peer} in ${scene.describe(place)}`;
  if (fresh && host.lower !== undefined) {
    scene.remember(place, veth.peer, host.lower);
    await take(socket, [{ attempt, request: setLink(host.lower, { up: true }) }]);
    return true;
  }
  const [peer] = await findLinks(scene, place, [veth.peer]);
  if (peer === undefined || !isPair(host, peer)) return false;
  if (peerDifferences(veth, host, peer).length === 0) return true;
  await take(socket, [{ attempt, request: setLink(peer.index, { up: true, mtu: veth.mtu, mac: veth.mac }) }]);
  return true;
}

/** A veth end names the index of the other one. */
function isPair(host: Link, peer: Link): boolean {
  return peer.kind === 'veth' && host.lower === peer.index && peer.lower === host.index;
}

/** Deletes half-made pairs, whose host's end is ours, and makes them anew. */
async function replace(
  broken: readonly VethResource[],
  pairs: readonly Pair[],
  masters: ReadonlyMap<string, number>,
  scene: Scene,
): Promise<Pair[]> {
  if (broken.length === 0) return [];
  const steps = pairs
    .filter(({ veth }) => broken.includes(veth))
    .map(({ veth, host }) => ({ attempt: `replace veth ${veth.host}`, request: deleteLink(host.index) }));
  const [failure] = await tryAll(scene.host, steps, ['ENODEV']);
  if (failure !== undefined) throw failure;
  const made = await create(broken, masters, scene);
  for (const pair of made) await ensurePeer(pair, scene);
  return made;
}

/** Marks the host ends ours and gives them what could not be given at birth. */
async function ensureHostEnds(pairs: readonly Pair[], masters: ReadonlyMap<string, number>, scene: Scene): Promise<void> {
  const steps = pairs.flatMap(({ veth, host }): Step[] => {
    const master = veth.master === undefined ? undefined : masters.get(veth.master);
    if (hostDifferences(veth, host, master).length === 0) return [];
    const attempt = `set up veth ${veth.host}`;
    const settings = { up: true, mtu: veth.mtu, alias: veth.tag, ...(master === undefined ? {} : { master }) };
    return [
      { attempt, request: setLink(host.index, settings) },
      ...(master === undefined ? [] : [{ attempt, request: setBridgePort(host.index, veth) }]),
    ];
  });
  await take(scene.host, steps);
}

function hostDifferences(veth: VethResource, host: Link, master: number | undefined): string[] {
  const onOff = (flag: boolean): string => (flag ? 'on' : 'off');
  const isPort = veth.master !== undefined;
  return [
    ...(host.alias === veth.tag ? [] : [`alias of ${veth.host} is "${host.alias ?? ''}"`]),
    ...(host.mtu === veth.mtu ? [] : [`mtu of ${veth.host} is ${host.mtu} instead of ${veth.mtu}`]),
    ...(host.up ? [] : [`${veth.host} is down`]),
    ...(host.master === master && (!isPort || master !== undefined)
      ? []
      : [isPort ? `${veth.host} is not a port of ${veth.master}` : `${veth.host} is a port of another link`]),
    ...(isPort && host.hairpin !== veth.hairpin ? [`hairpin of ${veth.host} is ${onOff(host.hairpin)}`] : []),
    ...(isPort && host.isolated !== veth.isolated ? [`isolation of ${veth.host} is ${onOff(host.isolated)}`] : []),
  ];
}

function peerDifferences(veth: VethResource, host: Link, peer: Link | undefined): string[] {
  if (peer === undefined) return [`there is no ${veth.peer} in the sandbox`];
  if (!isPair(host, peer)) return [`${veth.peer} in the sandbox is not the other end of ${veth.host}`];
  return [
    ...(peer.mtu === veth.mtu ? [] : [`mtu of ${veth.peer} is ${peer.mtu} instead of ${veth.mtu}`]),
    ...(peer.mac === veth.mac.toLowerCase() ? [] : [`MAC of ${veth.peer} is ${peer.mac} instead of ${veth.mac}`]),
    ...(peer.up ? [] : [`${veth.peer} is down`]),
  ];
}
