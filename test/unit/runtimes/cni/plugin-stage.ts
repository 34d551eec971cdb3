/** One call of the plugin without a process: environment and input in, an engine that remembers what it was asked. */
import { makeFakeEngine, type FakeEngine } from '../../cli/fake-engine.ts';
import type { Endpoint, Network } from '../../../../src/model/records.ts';
import type { AttachContainerRequest, SandboxView } from '../../../../src/engine/engine.ts';
import type { Delegate } from '../../../../src/runtimes/cni/delegate.ts';
import { runPlugin, type PluginOutcome } from '../../../../src/runtimes/cni/run-plugin.ts';

export const ENV = {
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/c1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
} as const;

export const WEB: Network = {
  version: 1,
  id: 'a'.repeat(64),
  name: 'web',
  driver: 'bridge',
  scope: 'local',
  createdAt: '',
  internal: false,
  attachable: false,
  enableIPv4: true,
  enableIPv6: false,
  ipamDriver: 'default',
  ipamOptions: {},
  pools: [{ subnet: '10.1.0.0/16', gateway: '10.1.0.1', aux: {} }],
  options: {},
  labels: {},
  settings: { bridge: 'tsn-web', mac: '02:42:00:00:00:01', adopted: false },
  predefined: false,
  state: 'active',
};

export interface Called extends PluginOutcome {
  readonly engine: FakeEngine;
  /** What was printed, parsed. */
  readonly printed: Record<string, unknown> | undefined;
  readonly log: readonly string[];
}

export interface CallRequest {
  readonly config: unknown;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly networks?: readonly Network[];
  readonly delegate?: Delegate;
  readonly netns?: 'none' | 'ours' | 'another';
  readonly engine?: FakeEngine;
}

/** `config`: an object, or the text of one. */
export async function call(
  command: string | undefined,
  { config, env = {}, networks = [WEB], delegate, netns = 'another', engine: given }: CallRequest,
): Promise<Called> {
  const engine = given ?? engineWith(networks);
  const log: string[] = [];
  const outcome = await runPlugin({
    env: { ...ENV, CNI_COMMAND: command, ...env },
    input: typeof config === 'string' ? config : JSON.stringify(config),
    engine: () => Promise.resolve(engine),
    ...(delegate === undefined ? {} : { delegate }),
    netnsAt: () => netns,
    log: (line) => log.push(line),
  });
  const printed = outcome.stdout === '' ? undefined : (JSON.parse(outcome.stdout) as Record<string, unknown>);
  return { ...outcome, engine, printed, log };
}

/** An engine on which every container gets 10.1.0.5. */
export function engineWith(networks: readonly Network[]): FakeEngine {
  const engine = makeFakeEngine({ networks: [...networks] });
  return {
    ...engine,
    createNetwork: async (request) => {
      const answer = await engine.createNetwork(request);
      engine.state.networks.push({ ...WEB, name: request.name, id: 'b'.repeat(64) });
      return answer;
    },
    attachContainer: (request) => {
      engine.calls.push(['attachContainer', request]);
      const { failure, networks: known } = engine.state;
      return failure === undefined
        ? Promise.resolve({ ...viewOf(request, known), warnings: [] })
        : Promise.reject(failure);
    },
  };
}

function viewOf({ container, attach }: AttachContainerRequest, networks: readonly Network[]): SandboxView {
  const endpoints = attach.map(
    ({ network, interfaceName, bandwidth }, ordinal): Endpoint & { networkName: string } => ({
      version: 1,
      id: 'e'.repeat(64),
      networkId: network,
      networkName: networks.find(({ id }) => id === network)?.name ?? '',
      sandboxId: 's'.repeat(64),
      interfaceName: interfaceName ?? 'eth0',
      hostLink: 'veth0123456789a',
      mac: '02:42:0a:01:00:05',
      addresses: [{ address: '10.1.0.5/16', gateway: '10.1.0.1' }],
      aliases: [],
      gatewayPriority: 0,
      ordinal,
      ports: [],
      driverOptions: {},
      ...(bandwidth === undefined ? {} : { bandwidth }),
      createdAt: '',
      state: 'attached',
    }),
  );
  return {
    sandbox: {
      version: 1,
      id: 's'.repeat(64),
      name: container.name ?? container.id,
      origin: { kind: 'cni', id: container.id },
      netns: { path: container.netns, device: 4, inode: 1 },
      foreignDefaultRoutes: [],
      createdAt: '',
      state: 'running',
    },
    endpoints,
    alive: true,
    sharedBy: [],
  };
}

/** The request that the engine got of this method, of which it got one. */
export function asked({ calls }: FakeEngine, method: string): unknown {
  const found = calls.filter(([name]) => name === method);
  if (found.length !== 1) throw new Error(`${method} was called ${String(found.length)} times`);
  return found[0]?.[1];
}
