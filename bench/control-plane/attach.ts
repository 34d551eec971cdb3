/** Attach and detach in process, without ports, with one and with fifty, beside the kernel's own cost and beside `ip -batch`. */
import { firewallFloor } from '../firewall-floor.ts';
import type { Group, Promised, Row } from '../group.ts';
import { inTurn, thereAndBack, timed } from '../in-turn.ts';
import { attachWithIp } from '../ip-script.ts';
import { attachBare, deleteBare, floorEndpoint, openFloor, type Floor } from '../kernel-floor.ts';
import { openHost, type Backend, type TsnetHost } from '../tsnet-host.ts';

const RUNS = 40;
/** The first runs are of code that V8 has not compiled for good yet, which a process that lives on does once. */
const WARM_UP = 40;
const SCRIPT_RUNS = 20;
const NETWORK = 'web';
const BRIDGE = 'bench0';

interface Case {
  readonly name: string;
  /** Every other port: one object each, not a range. */
  readonly ports: readonly string[];
  readonly promises?: { readonly attach: Promised; readonly detach?: Promised };
}

const published = (count: number): string[] => Array.from({ length: count }, (_, index) => `${8000 + 2 * index}:80`);

function casesOf(backend: Backend): Case[] {
  return [
    { name: 'without a port', ports: [] },
    {
      name: 'with 1 port',
      ports: published(1),
      promises: backend === 'nftables' ? { attach: { atMost: 2 } } : { attach: { atMost: 4 }, detach: { atMost: 8 } },
    },
    { name: 'with 50 ports', ports: published(50) },
  ];
}

interface Scene {
  readonly host: TsnetHost;
  readonly backend: Backend;
  readonly floor: Floor;
  /** Namespaces: ours and the floor's. */
  readonly ours: string;
  readonly bare: string;
}

/** Attach and detach of one case beside the same netlink messages and one firewall transaction. */
async function rowsBesideFloor({ host: { engine }, backend, floor, ours, bare }: Scene, one: Case): Promise<Row[]> {
  const endpoint = floorEndpoint(bare, '10.10');
  const firewall = firewallFloor(backend);
  const request = { network: NETWORK, container: ours, ports: one.ports };
  // The floor publishes on other host ports, to the same container address.
  const shifted = one.ports.map((port) => `1${port}`);
  const { plan } = await engine.connect({ ...request, ports: shifted, dryRun: true });
  const change = firewall.change(plan);
  const { there: attach, back: detach } = await thereAndBack(
    { runs: RUNS, warmUp: WARM_UP },
    {
      there: () => engine.connect(request),
      back: () => engine.disconnect({ network: NETWORK, container: ours }),
    },
    {
      there: async () => {
        await attachBare(floor, endpoint);
        await change.add();
      },
      back: async () => {
        await change.remove();
        await deleteBare(floor.host, endpoint.host);
      },
    },
  );
  const peerName = one.ports.length === 0 ? 'bare netlink' : `bare netlink + ${firewall.name}`;
  const { attach: attachPromise, detach: detachPromise } = one.promises ?? {};
  return [
    {
      name: `attach ${one.name}`,
      ...attach,
      peerName,
      unit: 'ms',
      ...(attachPromise === undefined ? {} : { promise: attachPromise }),
    },
    {
      name: `detach ${one.name}`,
      ...detach,
      peerName,
      unit: 'ms',
      ...(detachPromise === undefined ? {} : { promise: detachPromise }),
    },
  ];
}

/** What a shell script does, which knows no ledger and no ports either. */
async function rowBesideScript({ host: { engine }, floor, ours, bare }: Scene): Promise<Row> {
  const endpoint = floorEndpoint(bare, '10.10');
  const samples = await inTurn(
    { runs: SCRIPT_RUNS, warmUp: WARM_UP },
    async () => {
      const took = await timed(() => engine.connect({ network: NETWORK, container: ours }));
      await engine.disconnect({ network: NETWORK, container: ours });
      return took;
    },
    async () => {
      const took = await timed(() => attachWithIp(BRIDGE, endpoint));
      await deleteBare(floor.host, endpoint.host);
      return took;
    },
  );
  return { name: 'attach without a port', ...samples, peerName: 'ip -batch, host and container', unit: 'ms' };
}

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  const host = await openHost(dir, backend);
  await host.engine.createNetwork({
    name: NETWORK,
    ipam: [{ subnet: '10.10.0.0/16' }],
    options: { 'bridge.name': BRIDGE },
  });
  const scene = {
    host,
    backend,
    floor: await openFloor(BRIDGE),
    ours: host.container('ours').path,
    bare: host.container('bare').path,
  };
  const rows: Row[] = [];
  for (const one of casesOf(backend)) rows.push(...(await rowsBesideFloor(scene, one)));
  rows.push(await rowBesideScript(scene));
  return rows;
}

export const attach = (backend: Backend): Group => ({
  name: `attach/${backend}`,
  measure: (dir) => measure(dir, backend),
});
