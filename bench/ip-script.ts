/** An attach as a shell script makes it: `ip -batch` on the host and once more in the container. */
import path from 'node:path';
import type { FloorEndpoint } from './kernel-floor.ts';
import { runWith } from './run-with.ts';

const ip = (args: readonly string[], batch: readonly string[]): Promise<void> =>
  runWith(batch.map((line) => `${line}\n`).join(''), 'ip', ...args, '-batch', '-');

/** The namespace must be below /run/netns, where `ip` looks for names. */
export async function attachWithIp(
  bridge: string,
  { netns, host, mac, address, gateway }: FloorEndpoint,
): Promise<void> {
  const name = path.basename(netns);
  await ip(
    [],
    [
      `link add ${host} mtu 1500 type veth peer name eth0 mtu 1500 address ${mac} netns ${name}`,
      `link set ${host} addrgenmode none`,
      `link set ${host} master ${bridge} alias floor up`,
      `link set ${host} type bridge_slave hairpin on`,
    ],
  );
  await ip(
    ['-n', name],
    ['link set lo up', 'link set eth0 up', `address add ${address} dev eth0`, `route add default via ${gateway}`],
  );
}
