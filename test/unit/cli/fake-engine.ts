/** An engine that holds its records in memory and keeps a list of what it was asked. */
import type { ClusterHost } from '../../../src/engine/cluster.ts';
import { dockerNetwork } from '../../../src/engine/docker-network.ts';
import type { Drift, Engine, Garbage, PortView, RepairAnswer, SandboxView } from '../../../src/engine/engine.ts';
import { TsnetError } from '../../../src/model/error.ts';
import type { Endpoint, Network, Sandbox } from '../../../src/model/records.ts';
import type { Plan } from '../../../src/plan/resource.ts';

export interface FakeState {
  networks: Network[];
  sandboxes: SandboxView[];
  ports: PortView[];
  hosts: ClusterHost[];
  drifts: Drift[];
  garbage: Garbage[];
  repair: RepairAnswer;
  plan: Plan;
  warnings: string[];
  /** Thrown by every call, when set. */
  failure: Error | undefined;
  /** Why these networks cannot be pruned. */
  unprunable: { name: string; reason: string }[];
}

export interface FakeEngine extends Engine {
  readonly state: FakeState;
  /** Name and argument of every call, in order. */
  readonly calls: [call: string, request: unknown][];
}

export function makeFakeEngine(given: Partial<FakeState> = {}): FakeEngine {
  const state: FakeState = {
    networks: [],
    sandboxes: [],
    ports: [],
    hosts: [],
    drifts: [],
    garbage: [],
    repair: { repaired: [], failed: [] },
    plan: [],
    warnings: [],
    failure: undefined,
    unprunable: [],
    ...given,
  };
  const calls: FakeEngine['calls'] = [];
  const asked = <T>(call: string, request: unknown, answer: () => T): Promise<T> => {
    calls.push([call, request]);
    if (state.failure !== undefined) return Promise.reject(state.failure);
    // An answer may throw: in a promise, as the real engine's calls do.
    return Promise.resolve().then(answer);
  };
  const find = (reference: string): Network => {
    const network = state.networks.find(({ name, id }) => name === reference || id.startsWith(reference));
    if (network === undefined) throw new TsnetError('NOT_FOUND', `network ${reference}: there is no such network`);
    return network;
  };
  const change = (): { plan: Plan; warnings: string[] } => ({ plan: state.plan, warnings: state.warnings });
  const sandboxOf = (reference: string): SandboxView => {
    const view = state.sandboxes.find(({ sandbox }) => sandbox.name === reference || sandbox.id === reference);
    if (view === undefined) throw new TsnetError('NOT_FOUND', `container ${reference}: there is no such container`);
    return view;
  };
  const attached = (): { endpoint: Endpoint; sandbox: Sandbox } => {
    const view = state.sandboxes[0];
    const endpoint = view?.endpoints[0];
    if (view === undefined || endpoint === undefined)
      throw new Error('give the fake engine a sandbox with an endpoint');
    return { endpoint, sandbox: view.sandbox };
  };
  /** No verb shows it, so a test need not give a sandbox. */
  const changeOfEndpoint = (): ReturnType<typeof change> & { endpoint: Endpoint } => ({
    ...change(),
    endpoint: state.sandboxes[0]?.endpoints[0] ?? ({ id: 'e'.repeat(64), sandboxId: 'f'.repeat(64) } as Endpoint),
  });
  return {
    state,
    calls,
    createNetwork: (request) => asked('createNetwork', request, () => ({ id: 'c'.repeat(64), ...change() })),
    removeNetwork: (request) =>
      asked('removeNetwork', request, () => ({ name: find(request.network).name, ...change() })),
    pruneNetworks: (request) =>
      asked('pruneNetworks', request, () => ({
        removed: state.networks.map(({ name }) => name),
        failed: state.unprunable,
      })),
    listNetworks: (filters) => asked('listNetworks', filters, () => state.networks),
    inspectNetwork: (reference) =>
      asked('inspectNetwork', reference, () => {
        const network = find(reference);
        const containers = state.sandboxes.flatMap(({ sandbox, endpoints }) =>
          endpoints.filter(({ networkId }) => networkId === network.id).map((endpoint) => ({ endpoint, sandbox })),
        );
        return dockerNetwork(network, containers);
      }),
    connect: (request) => asked('connect', request, () => ({ ...attached(), ...change() })),
    disconnect: (request) => asked('disconnect', request, changeOfEndpoint),
    updateNetwork: (request) => asked('updateNetwork', request, change),
    updateEndpoint: (request) => asked('updateEndpoint', request, changeOfEndpoint),
    publish: (request) => asked('publish', request, () => ({ ports: state.ports, ...changeOfEndpoint() })),
    unpublish: (request) => asked('unpublish', request, changeOfEndpoint),
    attachContainer: (request) =>
      asked('attachContainer', request, () => ({ ...sandboxOf(request.container.id), warnings: state.warnings })),
    detachContainer: (request) => asked('detachContainer', request, () => ({ detached: [] })),
    findNetwork: (reference) =>
      asked('findNetwork', reference, () => state.networks.find(({ name }) => name === reference)),
    checkContainer: (request) => asked('checkContainer', request, () => []),
    findContainer: (container) => asked('findContainer', container, () => undefined),
    createSandbox: (request) =>
      asked('createSandbox', request, () => ({ ...sandboxOf(request.name ?? ''), warnings: state.warnings })),
    adoptProcess: (sandboxId, pid) => asked('adoptProcess', { sandboxId, pid }, () => undefined),
    removeSandbox: (reference) => asked('removeSandbox', reference, () => undefined),
    listSandboxes: () => asked('listSandboxes', undefined, () => state.sandboxes),
    inspectSandbox: (reference) => asked('inspectSandbox', reference, () => sandboxOf(reference)),
    listPorts: (container) =>
      asked('listPorts', container, () =>
        state.ports.filter((port) => port.container === (container ?? port.container)),
      ),
    listLeases: (network) => asked('listLeases', network, () => []),
    listClusterHosts: () => asked('listClusterHosts', undefined, () => state.hosts),
    removeClusterHost: (request) =>
      asked('removeClusterHost', request, () => {
        const found = state.hosts.find(({ id, name }) => id === request.host || name === request.host);
        if (found === undefined) throw new TsnetError('NOT_FOUND', `remove host ${request.host}: no such host`);
        return found;
      }),
    diff: () => asked('diff', undefined, () => state.drifts),
    repair: (request) => asked('repair', request, () => state.repair),
    gc: (request) => asked('gc', request, () => state.garbage),
    info: () =>
      asked('info', undefined, () => ({
        version: '1.2.3',
        networks: state.networks.length,
        sandboxes: state.sandboxes.length,
        endpoints: 0,
        leases: 0,
        publishedPorts: 0,
        pending: 0,
        dataRoot: '/data',
        execRoot: '/exec',
        firewallBackend: 'iptables',
        drivers: [
          { name: 'bridge', scope: 'local', source: 'built in', linkKinds: ['bridge', 'veth'] },
          { name: './old.js', source: './old.js', problem: 'load driver ./old.js: no' },
        ],
        linkKinds: { bridge: true, veth: false },
        addressPools: [{ base: '172.17.0.0/16', size: 16 }],
        changedSysctls: [{ key: 'net.ipv4.ip_forward', before: '0', now: '1' }],
        warnings: state.warnings,
      })),
    close: () => {
      calls.push(['close', undefined]);
      return Promise.resolve();
    },
  };
}

export function fakeNetwork(network: Partial<Network> & { readonly name: string; readonly id: string }): Network {
  return {
    version: 1,
    driver: 'bridge',
    scope: 'local',
    createdAt: '2026-01-02T03:04:05Z',
    internal: false,
    attachable: false,
    enableIPv4: true,
    enableIPv6: false,
    ipamDriver: 'default',
    ipamOptions: {},
    pools: [],
    options: {},
    labels: {},
    settings: {},
    predefined: false,
    state: 'active',
    ...network,
  };
}

/** A running sandbox with one endpoint. */
export function fakeSandbox(
  name: string,
  {
    networkId,
    networkName,
    address,
  }: { readonly networkId: string; readonly networkName: string; readonly address: string },
): SandboxView {
  const id = Buffer.from(name).toString('hex').padEnd(64, '0');
  const sandbox: Sandbox = {
    version: 1,
    id,
    name,
    origin: { kind: 'own' },
    netns: { path: `/exec/netns/${name}`, device: 4, inode: 1000 },
    createdAt: '2026-01-02T03:04:05Z',
    foreignDefaultRoutes: [],
    state: 'running',
  };
  const endpoint: Endpoint = {
    version: 1,
    id: `${id.slice(0, 60)}beef`,
    networkId,
    sandboxId: id,
    interfaceName: 'eth0',
    hostLink: `veth${name}`,
    mac: '02:42:ac:12:00:02',
    addresses: [{ address }],
    aliases: [],
    gatewayPriority: 0,
    ordinal: 0,
    ports: [],
    driverOptions: {},
    createdAt: '2026-01-02T03:04:05Z',
    state: 'attached',
  };
  return { sandbox, endpoints: [{ ...endpoint, networkName }], alive: true, sharedBy: [] };
}
