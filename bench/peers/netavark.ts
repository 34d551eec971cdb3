/** netavark, which podman starts once a container; podman itself chooses the address before, so that is not in its time. */
import path from 'node:path';
import type { Group } from '../group.ts';
import { requireInstalled } from '../installed.ts';
import { runWith } from '../run-with.ts';
import type { Backend } from '../tsnet-host.ts';
import { rowsBeside, type Peer, type PeerContainer } from './beside-command-line.ts';

const PROGRAM = '/usr/lib/podman/netavark';
const NETWORK = 'bench';

function programs(dir: string): Peer {
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
          network_interface: 'podman9',
          subnets: [{ subnet: '10.11.0.0/16', gateway: '10.11.0.1' }],
          ipv6_enabled: false,
          internal: false,
          dns_enabled: false,
          ipam_options: { driver: 'host-local' },
        },
      },
    });
  const run = (command: 'setup' | 'teardown', container: PeerContainer): Promise<void> =>
    runWith(request(container), PROGRAM, '--config', path.join(dir, 'netavark'), command, container.netns);
  return {
    name: 'netavark',
    attach: (container) => run('setup', container),
    detach: (container) => run('teardown', container),
  };
}

export const netavark = (backend: Backend): Group => ({
  name: `netavark/${backend}`,
  measure: (dir) => {
    requireInstalled('netavark', PROGRAM);
    return rowsBeside(programs(dir), dir, backend);
  },
});
