/** Attach to and detach from a macvlan network, in process, beside the kernel's own cost; and with the LAN asked first. */
import type { Group, Row } from '../group.ts';
import { thereAndBack } from '../in-turn.ts';
import { floorEndpoint } from '../kernel-floor.ts';
import { attachMacvlanBare, detachMacvlanBare, openMacvlanFloor } from '../macvlan-floor.ts';
import { runWith } from '../run-with.ts';
import { openHost } from '../tsnet-host.ts';

const RUNS = 40;
const WARM_UP = 10;
const PROBED_RUNS = 5;
const NETWORK = 'lan';
const PARENT = 'uplink0';

async function measure(dir: string): Promise<Row[]> {
  const host = await openHost(dir, 'iptables');
  const { engine } = host;
  const wire = [`link add ${PARENT} type veth peer name wire0`, 'link set wire0 up', `link set ${PARENT} up`];
  await runWith(wire.map((line) => `${line}\n`).join(''), 'ip', '-batch', '-');
  const create = (name: string, subnet: string, probe: string): Promise<unknown> =>
    engine.createNetwork({
      name,
      driver: 'macvlan',
      ipam: [{ subnet, gateway: subnet.replace('.0.0/16', '.0.1') }],
      options: { parent: PARENT, address_probe: probe },
    });
  await create(NETWORK, '10.20.0.0/16', 'false');
  await create('asked', '10.21.0.0/16', 'true');
  const floor = await openMacvlanFloor(PARENT);
  const ours = host.container('ours').path;
  const endpoint = floorEndpoint(host.container('bare').path, '10.20');

  const rows = async (network: string, runs: number): Promise<{ attach: Samples; detach: Samples }> => {
    const { there, back } = await thereAndBack(
      { runs, warmUp: network === NETWORK ? WARM_UP : 1 },
      {
        there: () => engine.connect({ network, container: ours }),
        back: () => engine.disconnect({ network, container: ours }),
      },
      { there: () => attachMacvlanBare(floor, endpoint), back: () => detachMacvlanBare(endpoint) },
    );
    return { attach: there, detach: back };
  };
  const { attach, detach } = await rows(NETWORK, RUNS);
  const { attach: asked } = await rows('asked', PROBED_RUNS);
  const common = { peerName: 'bare netlink', unit: 'ms' } as const;
  return [
    { name: 'attach to macvlan', ...attach, ...common, promise: { atMost: 3 } },
    { name: 'detach from macvlan', ...detach, ...common },
    { name: 'attach to macvlan, the LAN asked', ...asked, ...common },
  ];
}

interface Samples {
  readonly ours: number[];
  readonly peer: number[];
}

export const macvlan: Group = { name: 'macvlan', measure };
