/**
 * Runs: resources of one kind in a plan, so that their messages travel together.
 *
 * The plan of a container on three networks names kind after kind three times over. What does not depend on each other may
 * change places: so the three pairs are made in one exchange.
 */
import type { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { LinkResource, Place } from '../plan/resource.ts';
import type { Executor, Executors, LinkKind, LinkResourceOf } from './executor.ts';
import type { Scene } from './scene.ts';

/** Resources of one kind, in the plan's order. */
export interface Run<K extends LinkKind = LinkKind> {
  readonly kind: K;
  readonly resources: readonly LinkResourceOf<K>[];
}

/**
 * The runs of a plan. A resource joins the earliest run of its kind that is not before anything which touches the same
 * things as it does; so what depends on each other keeps the plan's order.
 */
export function runsOf(resources: readonly LinkResource[]): Run[] {
  const runs: { readonly kind: LinkKind; readonly resources: LinkResource[] }[] = [];
  /** Subject → the latest run that touches it, and the latest that needs it to be there. */
  const touched = new Map<string, number>();
  const needed = new Map<string, number>();
  for (const resource of resources) {
    const subjects = subjectsOf(resource);
    const needs = needsOf(resource);
    const earliest = Math.max(
      0,
      ...subjects.map((subject) => Math.max(touched.get(subject) ?? 0, needed.get(subject) ?? 0)),
      ...needs.map((need) => touched.get(need) ?? 0),
    );
    const found = runs.findIndex(({ kind }, index) => index >= earliest && kind === resource.kind);
    const at = found === -1 ? runs.length : found;
    const run = (runs[at] ??= { kind: resource.kind, resources: [] });
    run.resources.push(resource);
    for (const subject of subjects) touched.set(subject, at);
    for (const need of needs) needed.set(need, Math.max(at, needed.get(need) ?? 0));
  }
  return runs;
}

/**
 * What must be there, and stays as it is: the entries of a VXLAN device do not depend on each other, however many there are of both
 * kinds in a row.
 */
function needsOf(resource: LinkResource): string[] {
  if (resource.kind === 'fdb') return [subject('host', resource.link)];
  return resource.kind === 'neighbour' || resource.kind === 'route' ? [subject(resource.place, resource.link)] : [];
}

/** The link that a parameter belongs to; `all` and `default` belong to none. */
const PARAMETER_OF_LINK = /^net\/ipv[46]\/(?:conf|neigh)\/(?!(?:all|default)\/)([^/]+)\//;

/** What a resource makes, changes or needs: links, addresses that packets leave with, routing tables that a rule leads to. */
function subjectsOf(resource: LinkResource): string[] {
  switch (resource.kind) {
    case 'bridge':
    case 'dummy':
    case 'ifb':
      return [subject('host', resource.name)];
    case 'vlan':
      return [subject('host', resource.name), subject('host', resource.parent)];
    case 'macvlan':
    case 'ipvlan':
      return [subject(resource.place, resource.name), subject('host', resource.parent)];
    case 'veth': {
      const { sandbox, host, peer, master } = resource;
      const ends = [subject('host', host), subject({ sandbox }, peer)];
      return master === undefined ? ends : [...ends, subject('host', master)];
    }
    case 'token-bucket':
      return [subject('host', resource.link)];
    case 'redirect':
      return [subject('host', resource.link), subject('host', resource.to)];
    case 'plugin-network':
      return [subject('host', `plugin/${resource.networkId}`)];
    case 'plugin-endpoint':
      return [subject('host', `plugin/${resource.networkId}`), subject({ sandbox: resource.sandbox }, resource.link)];
    case 'vxlan':
      return [
        subject('host', resource.name),
        ...(resource.master === undefined ? [] : [subject('host', resource.master)]),
      ];
    case 'fdb':
      return [entrySubject('host', resource.link, resource.mac)];
    // Answered for once there is a way to it.
    case 'neighbour':
      return [entrySubject(resource.place, resource.link, resource.mac)];
    case 'link-up':
      return [subject(resource.place, resource.link)];
    case 'address': {
      const { place, link, address } = resource;
      return [subject(place, link), addressSubject(place, address.slice(0, address.indexOf('/')))];
    }
    case 'route': {
      const { place, table, source } = resource;
      return [
        ...(table === undefined ? [] : [tableSubject(place, table)]),
        ...(source === undefined ? [] : [addressSubject(place, source)]),
      ];
    }
    case 'rule':
      return [tableSubject(resource.place, resource.table)];
    case 'sysctl':
      return [subject(resource.place, PARAMETER_OF_LINK.exec(resource.key)?.[1] ?? resource.key)];
  }
}

function subject(place: Place, name: string): string {
  return `${place === 'host' ? '' : place.sandbox}/${name}`;
}

function addressSubject(place: Place, address: string): string {
  return subject(place, `address/${address}`);
}

function entrySubject(place: Place, link: string, mac: string): string {
  return subject(place, `${link}/${mac}`);
}

function tableSubject(place: Place, table: number): string {
  return subject(place, `table/${table}`);
}

export function ensureRun<K extends LinkKind>(executors: Executors, run: Run<K>, scene: Scene): Promise<void> {
  return executorOf(executors, run).ensure(run.resources, scene);
}

export function removeRun<K extends LinkKind>(
  executors: Executors,
  run: Run<K>,
  scene: Scene,
): Promise<readonly TsnetError[]> {
  return executorOf(executors, run).remove(run.resources, scene);
}

export function observeRun<K extends LinkKind>(
  executors: Executors,
  run: Run<K>,
  scene: Scene,
): Promise<Observation[]> {
  return executorOf(executors, run).observe(run.resources, scene);
}

function executorOf<K extends LinkKind>(executors: Executors, run: Run<K>): Executor<K> {
  return executors[run.kind];
}

/**
 * A plan without the addresses, routes and neighbours of veth peers, macvlan and ipvlan links that it names itself, and without
 * the limits of veths and ifbs: they go with the link, so that removing an endpoint on a bridge does not even enter its namespace.
 */
export function withoutWhatGoesWithItsLink(resources: readonly LinkResource[]): LinkResource[] {
  const leaving = new Set(
    resources.flatMap((resource) => {
      if (resource.kind === 'veth')
        return [subject({ sandbox: resource.sandbox }, resource.peer), subject('host', resource.host)];
      if (resource.kind === 'ifb') return [subject('host', resource.name)];
      if (resource.kind === 'plugin-endpoint') return [subject({ sandbox: resource.sandbox }, resource.link)];
      if (resource.kind === 'vxlan') return [subject('host', resource.name)];
      return resource.kind === 'macvlan' || resource.kind === 'ipvlan' ? [subject(resource.place, resource.name)] : [];
    }),
  );
  return resources.filter((resource) => {
    const { kind } = resource;
    if (kind === 'token-bucket' || kind === 'redirect' || kind === 'fdb') {
      return !leaving.has(subject('host', resource.link));
    }
    if (kind !== 'address' && kind !== 'route' && kind !== 'neighbour') return true;
    return !leaving.has(subject(resource.place, resource.link));
  });
}
