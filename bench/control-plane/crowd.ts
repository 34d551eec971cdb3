/**
 * Attach number N beside attach number 1, each container with a published port. A Linux bridge takes 1,023 ports, and the
 * kernel goes over all ports of a bridge when one is added: so a crowd on one bridge, a crowd over several, and the kernel's own
 * cost beside each. With nftables; what many published ports cost with iptables is in publish.ts.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compareTwins } from '../data-plane/compare-twins.ts';
import { FIREWALL_FLOOR_NAMES, firewallFloor } from '../firewall-floor.ts';
import type { Group, Promised, Row } from '../group.ts';
import { timed } from '../in-turn.ts';
import { attachBare, deleteBare, floorEndpoint, openFloor } from '../kernel-floor.ts';
import { openHost, type TsnetHost } from '../tsnet-host.ts';
import type { Sample, TwinRequest } from '../twin.ts';

const BACKEND = 'nftables';
const ON_ONE_BRIDGE = 1000;
const ON_MANY = 5000;
const RUNS = 20;
/** On each host, so that the one with nobody runs code as warm as the full ones. */
const WARM_UP = 40;

/** Megabytes of this process once what nobody needs is gone. */
function residentMB(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage.rss() / 2 ** 20;
}

/** `size` containers, a thousand a network. */
async function fill({ engine, container }: TsnetHost, size: number): Promise<void> {
  for (let number = 0; number < size; number += 1) {
    const network = Math.floor(number / ON_ONE_BRIDGE);
    if (number % ON_ONE_BRIDGE === 0) {
      await engine.createNetwork({ name: `net${network}`, ipam: [{ subnet: `10.${100 + network}.0.0/16` }] });
    }
    const ports = [`${10_000 + 2 * number}:80`];
    await engine.connect({ network: `net${network}`, container: container(`crowd${number}`).path, ports });
  }
}

/**
 * A twin's host with `size` containers. A sample is one more: on the same network, or on the next when they are several, beside
 * the bare kernel calls there.
 */
export async function crowdedHost({ dir, size }: TwinRequest): Promise<() => Promise<Sample>> {
  const host = await openHost(dir, BACKEND);
  const { engine, container } = host;
  await fill(host, size);
  const second = size === ON_ONE_BRIDGE ? 100 : 99;
  const network = size === ON_ONE_BRIDGE ? 'net0' : 'last';
  if (network === 'last') await engine.createNetwork({ name: network, ipam: [{ subnet: `10.${second}.0.0/16` }] });

  const target = { network, container: container('one-more').path };
  const request = { ...target, ports: ['9000:80'] };
  const { plan } = await engine.connect({ ...request, ports: ['9002:80'], dryRun: true });
  const change = firewallFloor(BACKEND).change(plan);
  const bridge = plan.flatMap((resource) => (resource.kind === 'veth' ? [resource.master ?? ''] : [])).join('');
  const floor = await openFloor(bridge);
  const endpoint = floorEndpoint(container('bare').path, `10.${second}`);
  const sample = async (): Promise<Sample> => {
    const attach = await timed(() => engine.connect(request));
    const detach = await timed(() => engine.disconnect(target));
    const bare = await timed(async () => {
      await attachBare(floor, endpoint);
      await change.add();
    });
    await change.remove();
    const bareDetach = await timed(() => deleteBare(floor.host, endpoint.host));
    return { attach, detach, bare, bareDetach, memory: residentMB() };
  };
  for (let run = 0; run < WARM_UP; run += 1) await sample();
  return sample;
}

async function measure(dir: string): Promise<Row[]> {
  const host = (size: number) => ({ scenario: 'crowd', backend: BACKEND, size }) as const;
  const taken = await compareTwins(dir, { many: host(ON_MANY), few: host(ON_ONE_BRIDGE), none: host(0) }, RUNS);
  const floor = `bare netlink + ${FIREWALL_FLOOR_NAMES[BACKEND]}`;
  const against = (name: string, what: string, size: 'few' | 'many', promise?: Promised): Row => ({
    name,
    ours: taken(size, what),
    peer: taken('none', what),
    peerName: 'number 1',
    unit: 'ms',
    ...(promise === undefined ? {} : { promise }),
  });
  return [
    against('attach number 1,001 of one network', 'attach', 'few'),
    against(`${floor} there`, 'bare', 'few'),
    against('attach number 5,001, 1,000 a network', 'attach', 'many', { atMost: 1.2 }),
    against(`${floor} there`, 'bare', 'many'),
    {
      name: 'attach number 5,001',
      ours: taken('many', 'attach'),
      peer: taken('many', 'bare'),
      peerName: `${floor} there`,
      unit: 'ms',
    },
    against('detach number 5,001', 'detach', 'many'),
    against('bare netlink there', 'bareDetach', 'many'),
    {
      name: 'memory of a process that attached 5,000',
      ours: taken('many', 'memory'),
      peer: taken('none', 'memory'),
      peerName: 'of one that attached none',
      unit: 'MB',
    },
  ];
}

export const crowd: Group = { name: 'crowd', measure };
