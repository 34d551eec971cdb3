/**
 * netavark, which podman starts once a container, beside `tsnet connect` and beside our program of the same name and with the same
 * request, alone and carried out by a daemon; podman itself chooses the address before, so that is not in its time.
 */
import path from 'node:path';
import { startDaemon } from '../daemon-process.ts';
import type { Group, Row } from '../group.ts';
import { thereAndBack } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';
import { outputWith } from '../run-with.ts';
import { openHost, TSNET, type Backend } from '../tsnet-host.ts';
import { rowsBeside, type Peer, type PeerContainer } from './beside-command-line.ts';

const STOCK = '/usr/lib/podman/netavark';
const OURS = path.join(path.dirname(TSNET), 'netavark');
const NETWORK = 'bench';
const RUNS = { runs: 15, warmUp: 3 };

interface Program {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** "10.11": its network's first half. */
  readonly net: string;
}

/** Both get the same request, each with a network of its own. */
function peerOf({ name, command, env = process.env, net }: Program, dir: string): Peer {
  const request = ({ id, address, hostPort }: PeerContainer): string =>
    JSON.stringify({
      container_id: id,
      container_name: id.slice(0, 12),
      port_mappings: [{ host_ip: '', host_port: hostPort, container_port: 80, protocol: 'tcp', range: 1 }],
      networks: { [NETWORK]: { interface_name: 'eth0', static_ips: [address] } },
      network_info: {
        [NETWORK]: {
          name: NETWORK,
          id: 'b'.repeat(64),
          driver: 'bridge',
          network_interface: `bench${net.replace('.', '-')}`,
          subnets: [{ subnet: `${net}.0.0/16`, gateway: `${net}.0.1` }],
          ipv6_enabled: false,
          internal: false,
          dns_enabled: false,
          ipam_options: { driver: 'host-local' },
        },
      },
    });
  const run = (verb: 'setup' | 'teardown', container: PeerContainer): Promise<string> =>
    outputWith(request(container), [...command, '--config', path.join(dir, 'netavark'), verb, container.netns], env);
  return {
    name,
    attach: (container) => run('setup', container),
    detach: (container) => run('teardown', container),
  };
}

async function besideStock(dir: string, backend: Backend): Promise<Row[]> {
  const { env, container } = await openHost(dir, backend);
  const ours = peerOf({ name: 'dist/netavark', command: [process.execPath, OURS], env, net: '10.13' }, dir);
  const stock = peerOf({ name: 'netavark', command: [STOCK], net: '10.14' }, dir);
  const place = (name: string, net: string, number: number, hostPort: number): PeerContainer => ({
    id: name.padEnd(64, '0'),
    netns: container(name).path,
    address: `${net}.0.${10 + number}`,
    hostPort,
  });
  // One stays, so that nobody makes and removes what the first and the last container bring and take.
  await ours.attach(place('stays', '10.13', 0, 8181));
  await stock.attach(place('stock-stays', '10.14', 0, 9101));
  const [here, there] = [place('box', '10.13', 1, 8180), place('stock-box', '10.14', 1, 9100)];
  const measured = async (how: string): Promise<Row[]> => {
    const took = await thereAndBack(
      RUNS,
      { there: () => ours.attach(here), back: () => ours.detach(here) },
      { there: () => stock.attach(there), back: () => stock.detach(there) },
    );
    return [
      { name: `dist/netavark setup with a port${how}`, ...took.there, peerName: stock.name, unit: 'ms' },
      { name: `dist/netavark teardown${how}`, ...took.back, peerName: stock.name, unit: 'ms' },
    ];
  };
  const alone = await measured('');
  await startDaemon(env);
  return [...alone, ...(await measured(' through the daemon'))];
}

export const netavark = (backend: Backend): Group => ({
  name: `netavark/${backend}`,
  measure: (dir) => {
    requireInstalled('netavark', STOCK);
    return rowsBeside(peerOf({ name: 'netavark', command: [STOCK], net: '10.11' }, dir), dir, backend);
  },
});

export const tsnetNetavark = (backend: Backend): Group => ({
  name: `tsnet-netavark/${backend}`,
  measure: (dir) => {
    requireInstalled('netavark', STOCK);
    return besideStock(dir, backend);
  },
});
