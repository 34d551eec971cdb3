/**
 * Two hosts of an overlay and a container on each, in one process:
 *
 *     this namespace 192.168.77.1 ══ VXLAN over a veth pair ══ 192.168.77.2 namespace "other"
 *         └── tsn… 10.77.0.1 ── web 10.77.0.2                      └── tsn… 10.77.0.1 ── peer 10.77.0.3
 *
 * The overlay driver's plans are made true on both, and each is told what the other has, without a store between them.
 */
import { closeSync, openSync } from 'node:fs';
import overlay from '../../drivers/overlay/driver.ts';
import { openFirewallBackends, soleBackend } from '../../src/kernel/firewall-backends.ts';
import { noFirewall } from '../../src/kernel/firewall-executor.ts';
import { libc } from '../../src/kernel/libc.ts';
import { openKernel } from '../../src/kernel/linux-kernel.ts';
import type { Network } from '../../src/model/records.ts';
import type { Peer } from '../../src/plan/driver.ts';
import type { Plan } from '../../src/plan/resource.ts';
import { sandboxPlan } from '../../src/plan/sandbox-plan.ts';
import { sampleEndpoint, sampleNetwork } from '../../src/public/samples.ts';
import { runWith } from '../run-with.ts';
import type { Backend } from '../tsnet-host.ts';

export const HERE = { netns: '/proc/self/ns/net', vtep: '192.168.77.1' } as const;
export const OTHER = { netns: '/run/netns/other', vtep: '192.168.77.2' } as const;
export const WEB = { netns: '/run/netns/web', address: '10.77.0.2', block: '10.77.0.0/24' } as const;
export const PEER = { netns: '/run/netns/peer', address: '10.77.1.3', block: '10.77.1.0/24' } as const;

export type Mode = 'perIp' | 'block';

interface Side {
  readonly host: typeof HERE | typeof OTHER;
  readonly container: typeof WEB | typeof PEER;
  readonly number: number;
}

const SIDES: readonly [Side, Side] = [
  { host: HERE, container: WEB, number: 0 },
  { host: OTHER, container: PEER, number: 1 },
];

/** With this thread in a namespace; nothing else may go on meanwhile. */
async function inside(netns: string, work: () => Promise<void>): Promise<void> {
  const [home, there] = [openSync('/proc/thread-self/ns/net', 'r'), openSync(netns, 'r')];
  try {
    libc().enterNetns(there);
    await work();
  } finally {
    libc().enterNetns(home);
    closeSync(home);
    closeSync(there);
  }
}

/** `undefined` for the backend: links and entries alone, no rules and no guard. */
export async function overlaySite(backend: Backend | undefined, mode: Mode): Promise<void> {
  const batch = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
  const here = [
    ...['other', 'web', 'peer'].map((name) => `netns add ${name}`),
    'link add under0 type veth peer name eth0 netns other',
    `address add ${HERE.vtep}/24 dev under0`,
    'link set under0 up',
  ];
  const there = ['link set lo up', `address add ${OTHER.vtep}/24 dev eth0`, 'link set eth0 up'];
  await runWith(batch(here), 'ip', '-batch', '-');
  await runWith(batch(there), 'ip', '-n', 'other', '-batch', '-');
  for (const side of SIDES) await inside(side.host.netns, () => makeSide(side, backend, mode));
}

async function makeSide(side: Side, backend: Backend | undefined, mode: Mode): Promise<void> {
  const { host, container, number } = side;
  const firewall =
    backend === undefined
      ? soleBackend('none', noFirewall)
      : openFirewallBackends({ execRoot: `/run/overlay-${number}`, wanted: backend, families: [4, 6] });
  const kernel = openKernel({ firewall });
  const network = sampleNetwork(overlay, {
    cluster: { vnis: [4097], underlayMtu: 1500, outerFamily: 4, port: 4789 },
    underlay: { vtep: host.vtep },
    draft: { pools: [{ subnet: '10.77.0.0/16', gateway: '10.77.0.1', aux: {} }], options: { mode } },
  });
  const addresses = [{ address: `${container.address}/16`, gateway: '10.77.0.1' }];
  const endpoint = sampleEndpoint(overlay, network, { number, mac: macOf(number), addresses });
  const netns = kernel.netnsAt(container.netns);
  if (netns === undefined) throw new Error(`no namespace ${container.netns}`);
  const other = SIDES[1 - number] ?? side;
  const plan = [
    ...(overlay.guardPlan?.(network, [other.host.vtep]) ?? []),
    ...overlay.networkPlan(network),
    ...peerPlan(network, mode, other),
    ...overlay.endpointPlan(network, endpoint),
    ...sandboxPlan({ id: endpoint.sandboxId, foreignDefaultRoutes: [] }, [{ endpoint, network }]),
  ];
  await kernel.ensure(plan, new Map([[endpoint.sandboxId, netns]]));
  await kernel.close();
}

function macOf(number: number): string {
  return `02:42:0a:4d:00:0${number + 2}`;
}

function peerPlan(network: Network, mode: Mode, { host, container, number }: Side): Plan {
  const peer: Peer =
    mode === 'block'
      ? { kind: 'blocks', blocks: [container.block], vtep: host.vtep }
      : { kind: 'endpoint', addresses: [container.address], mac: macOf(number), vtep: host.vtep };
  return overlay.peerPlan?.(network, peer) ?? [];
}
