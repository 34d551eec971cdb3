/**
 * The engine over HTTP: which request stands for which use case. The daemon serves this table and the thin client asks by it, so
 * that the two cannot differ.
 *
 * What the path does not name goes into the query of a GET or DELETE, else into the JSON body.
 */
import type { Engine } from '../engine/engine.ts';

export type EngineMethod = Exclude<keyof Engine, 'close'>;
export type Verb = 'GET' | 'POST' | 'DELETE';

/** The values of a request by name, whether they travel in path, query or body. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Route<M extends EngineMethod = EngineMethod> {
  readonly verb: Verb;
  /** Below {@link API_PREFIX}; `:name` is a field. */
  readonly path: string;
  readonly summary: string;
  readonly fields: (...args: Parameters<Engine[M]>) => Fields;
  readonly args: (fields: never) => Parameters<Engine[M]>;
}

export const API_PREFIX = '/tsnet/v1';

/** A use case that takes one request, whose members are the fields. */
function request<M extends EngineMethod>(verb: Verb, path: string, summary: string): Route<M> {
  return {
    verb,
    path,
    summary,
    fields: (...given) => (given[0] ?? {}) as Fields,
    args: (fields) => [fields] as unknown as Parameters<Engine[M]>,
  };
}

const filters = (text: string | undefined): [Readonly<Record<string, readonly string[]>>] | [] =>
  text === undefined ? [] : [JSON.parse(text) as Record<string, string[]>];

export const ROUTES: { readonly [M in EngineMethod]: Route<M> } = {
  createNetwork: request('POST', '/networks', 'Create a network'),
  listNetworks: {
    verb: 'GET',
    path: '/networks',
    summary: 'List networks',
    fields: (given) => (given === undefined ? {} : { filters: JSON.stringify(given) }),
    args: ({ filters: text }: { filters?: string }) => filters(text) as [],
  },
  findNetwork: {
    verb: 'GET',
    path: '/networks/:network/record',
    summary: 'The record of a network, if it is there',
    fields: (network) => ({ network }),
    args: ({ network }: { network: string }) => [network],
  },
  inspectNetwork: {
    verb: 'GET',
    path: '/networks/:network',
    summary: 'Show one network, as Docker shows it',
    fields: (network) => ({ network }),
    args: ({ network }: { network: string }) => [network],
  },
  removeNetwork: request('DELETE', '/networks/:network', 'Remove a network'),
  pruneNetworks: request('POST', '/networks/prune', 'Remove all networks that nobody uses'),
  listLeases: {
    verb: 'GET',
    path: '/networks/:network/leases',
    summary: 'List the addresses of a network that are held',
    fields: (network) => ({ network }),
    args: ({ network }: { network: string }) => [network],
  },

  connect: request('POST', '/networks/:network/connect', 'Connect a container to a network'),
  disconnect: request('POST', '/networks/:network/disconnect', 'Disconnect a container from a network'),
  updateNetwork: request('POST', '/networks/:network/update', 'Change labels or MTU of a network in use'),
  updateEndpoint: request(
    'POST',
    '/networks/:network/endpoints/:container/update',
    'Change the aliases of a connected container',
  ),
  publish: request('POST', '/networks/:network/publish', 'Publish ports of a connected container'),
  unpublish: request('POST', '/networks/:network/unpublish', 'Withdraw published ports'),

  attachContainer: request('POST', '/containers/attach', "Attach a runtime's container to networks"),
  detachContainer: request('POST', '/containers/detach', "Detach a runtime's container, which may be gone"),
  findContainer: request('GET', '/containers/:runtime/:id', "Show a runtime's container, if it is known"),
  checkContainer: request('POST', '/containers/check', "Compare a runtime's container with its record"),

  createSandbox: request('POST', '/sandboxes', 'Make a sandbox, attached to its networks'),
  adoptProcess: {
    verb: 'POST',
    path: '/sandboxes/:container/process',
    summary: 'Tie a sandbox to the process that runs in it',
    fields: (container, pid) => ({ container, pid }),
    args: ({ container, pid }: { container: string; pid: number }) => [container, pid],
  },
  removeSandbox: {
    verb: 'DELETE',
    path: '/sandboxes/:container',
    summary: 'Detach and remove a sandbox',
    fields: (container) => ({ container }),
    args: ({ container }: { container: string }) => [container],
  },
  listSandboxes: {
    verb: 'GET',
    path: '/sandboxes',
    summary: 'List sandboxes',
    fields: () => ({}),
    args: () => [],
  },
  inspectSandbox: {
    verb: 'GET',
    path: '/sandboxes/:container',
    summary: 'Show one sandbox and its endpoints',
    fields: (container) => ({ container }),
    args: ({ container }: { container: string }) => [container],
  },
  listPorts: {
    verb: 'GET',
    path: '/ports',
    summary: 'List published ports',
    fields: (container) => (container === undefined ? {} : { container }),
    args: ({ container }: { container?: string }) => [container],
  },

  listClusterHosts: {
    verb: 'GET',
    path: '/cluster/hosts',
    summary: 'List the hosts of the cluster',
    fields: () => ({}),
    args: () => [],
  },
  removeClusterHost: request('DELETE', '/cluster/hosts/:host', 'Remove a host that will not come back'),

  diff: {
    verb: 'GET',
    path: '/diff',
    summary: 'Compare what should exist with what the kernel has',
    fields: () => ({}),
    args: () => [],
  },
  repair: request('POST', '/repair', 'Mend the differences that diff shows'),
  gc: request('POST', '/gc', 'Let go of what dead containers left behind'),
  info: { verb: 'GET', path: '/info', summary: 'The state of tsnet on this host', fields: () => ({}), args: () => [] },
};

/** Stands for an empty field in a path, where nothing between two slashes would be another path. No name has it. */
export const EMPTY_FIELD = '\u0000';

/** The fields that a path names. */
export function pathFields(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
}
