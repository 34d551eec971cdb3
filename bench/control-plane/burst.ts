/** Five hundred containers with a port each, attached at once by one process, beside as many single attaches of the kernel. */
import { firewallFloor, type FirewallChange, type FirewallFloor } from '../firewall-floor.ts';
import type { Group, Row } from '../group.ts';
import { inTurn, timed } from '../in-turn.ts';
import { attachBare, floorEndpoint, openFloor } from '../kernel-floor.ts';
import { openHost, type Backend, type TsnetHost } from '../tsnet-host.ts';

const CONTAINERS = 500;
/** Every run has a bridge and containers of its own; nobody is detached. Two single attaches with iptables take 10 s a run. */
const RUNS: Readonly<Record<Backend, number>> = { iptables: 1, nftables: 3 };
const WARM_UP = 20;

interface Requests {
  readonly network: string;
  readonly subnet: `10.${number}`;
  readonly requests: readonly {
    readonly network: string;
    readonly container: string;
    readonly ports: readonly string[];
  }[];
}

let networks = 0;

/** A new network, and as many containers that want to be on it. */
async function prepare({ engine, container }: TsnetHost, count: number): Promise<Requests> {
  const number = networks++;
  const network = `burst${number}`;
  const subnet = `10.${10 + number}` as const;
  await engine.createNetwork({
    name: network,
    ipam: [{ subnet: `${subnet}.0.0/16` }],
    options: { 'bridge.name': network },
  });
  const requests = Array.from({ length: count }, (_, index) => ({
    network,
    container: container(`${network}-${index}`).path,
    ports: [`${5000 + 1000 * number + 2 * index}:80`],
  }));
  return { network, subnet, requests };
}

async function oursAtOnce(host: TsnetHost, count: number): Promise<number> {
  const { requests } = await prepare(host, count);
  return timed(() => Promise.all(requests.map((request) => host.engine.connect(request))));
}

async function bareOneByOne(host: TsnetHost, firewall: FirewallFloor, count: number): Promise<number> {
  const { network, subnet, requests } = await prepare(host, count);
  const changes: FirewallChange[] = [];
  for (const request of requests) {
    const { plan } = await host.engine.connect({ ...request, dryRun: true });
    changes.push(firewall.change(plan));
  }
  const floor = await openFloor(network);
  const took = await timed(async () => {
    for (const [index, { container }] of requests.entries()) {
      const endpoint = floorEndpoint(container, subnet, index);
      await attachBare(floor, { ...endpoint, host: `${network}x${index}` });
      await changes[index]?.add();
    }
  });
  await floor.host.close();
  return took;
}

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  const host = await openHost(dir, backend);
  const firewall = firewallFloor(backend);
  const samples = await inTurn(
    { runs: RUNS[backend], warmUp: 1 },
    (run) => oursAtOnce(host, run < 0 ? WARM_UP : CONTAINERS),
    (run) => bareOneByOne(host, firewall, run < 0 ? WARM_UP : CONTAINERS),
  );
  return [
    {
      name: `${CONTAINERS} containers with a port each at once`,
      ...samples,
      peerName: `${CONTAINERS} × (bare netlink + ${firewall.name})`,
      unit: 'ms',
      promise: { atMost: 1.5 },
    },
  ];
}

export const burst = (backend: Backend): Group => ({
  name: `burst/${backend}`,
  measure: (dir) => measure(dir, backend),
});
