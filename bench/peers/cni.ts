/** The stock CNI plugins as a runtime chains them: bridge (which runs host-local), portmap, firewall. */
import path from 'node:path';
import type { Group } from '../group.ts';
import { requireInstalled } from '../installed.ts';
import { outputWith } from '../run-with.ts';
import type { Backend } from '../tsnet-host.ts';
import { rowsBeside, type Peer, type PeerContainer } from './beside-command-line.ts';

const FOLDER = '/usr/lib/cni';
const CHAIN = ['bridge', 'portmap', 'firewall'] as const;
const VERSION = '1.0.0';

/** Programs that it consists of. */
export const STOCK_FILES = CHAIN.map((plugin) => path.join(FOLDER, plugin));

export function stockChain(dir: string): Peer {
  const configs: Readonly<Record<(typeof CHAIN)[number], object>> = {
    bridge: {
      bridge: 'cni0',
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        dataDir: path.join(dir, 'host-local'),
        ranges: [[{ subnet: '10.11.0.0/16' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    portmap: { capabilities: { portMappings: true }, snat: true },
    firewall: {},
  };
  const results = new Map<string, unknown>();
  const run = async (
    command: 'ADD' | 'DEL',
    plugin: (typeof CHAIN)[number],
    container: PeerContainer,
    prevResult: unknown,
  ): Promise<unknown> => {
    const input = {
      cniVersion: VERSION,
      name: 'bench',
      type: plugin,
      ...configs[plugin],
      ...(plugin === 'portmap'
        ? { runtimeConfig: { portMappings: [{ hostPort: container.hostPort, containerPort: 80, protocol: 'tcp' }] } }
        : {}),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
    const output = await outputWith(JSON.stringify(input), [path.join(FOLDER, plugin)], {
      ...process.env,
      CNI_COMMAND: command,
      CNI_CONTAINERID: container.id,
      CNI_NETNS: container.netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: FOLDER,
    });
    return output === '' ? undefined : (JSON.parse(output) as unknown);
  };
  return {
    name: 'CNI: bridge, host-local, portmap, firewall',
    async attach(container) {
      let result: unknown;
      for (const plugin of CHAIN) result = await run('ADD', plugin, container, result);
      results.set(container.id, result);
    },
    async detach(container) {
      for (const plugin of CHAIN.toReversed()) await run('DEL', plugin, container, results.get(container.id));
    },
  };
}

export const cni = (backend: Backend): Group => ({
  name: `cni/${backend}`,
  measure: (dir) => {
    requireInstalled('containernetworking-plugins', ...STOCK_FILES);
    return rowsBeside(stockChain(dir), dir, backend);
  },
});
