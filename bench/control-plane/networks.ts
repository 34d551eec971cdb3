/** Creating and removing a network, beside a bridge made over netlink and one firewall transaction with the same rules. */
import { firewallFloor } from '../firewall-floor.ts';
import type { Group, Row } from '../group.ts';
import { inTurn, timed } from '../in-turn.ts';
import { createBridgeBare, deleteBare } from '../kernel-floor.ts';
import { NetlinkSocket } from '../../src/kernel/netlink-socket.ts';
import { openHost, type Backend } from '../tsnet-host.ts';

const RUNS = 40;
const BARE = { name: 'bare0', mac: '02:42:0a:63:00:01', address: '10.99.0.1/24' } as const;

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  const { engine } = await openHost(dir, backend);
  // The first network of a host brings what all share; neither side is asked for that.
  await engine.createNetwork({ name: 'other', ipam: [{ subnet: '10.10.0.0/16' }] });
  const { plan } = await engine.createNetwork({
    name: 'floor',
    ipam: [{ subnet: '10.99.0.0/24' }],
    options: { 'bridge.name': BARE.name },
    dryRun: true,
  });
  const floor = firewallFloor(backend);
  const change = floor.change(plan);
  const host = new NetlinkSocket('route');
  const remove = { ours: [] as number[], peer: [] as number[] };
  const create = await inTurn(
    { runs: RUNS },
    async (run) => {
      const took = await timed(() => engine.createNetwork({ name: 'web', ipam: [{ subnet: '10.20.0.0/16' }] }));
      const gone = await timed(() => engine.removeNetwork({ network: 'web' }));
      if (run >= 0) remove.ours.push(gone);
      return took;
    },
    async (run) => {
      const took = await timed(async () => {
        await createBridgeBare(host, BARE);
        await change.add();
      });
      const gone = await timed(async () => {
        await change.remove();
        await deleteBare(host, BARE.name);
      });
      if (run >= 0) remove.peer.push(gone);
      return took;
    },
  );
  const peerName = `bare netlink + ${floor.name}`;
  return [
    { name: 'create a network, recorded on disk', ...create, peerName, unit: 'ms' },
    { name: 'remove it', ...remove, peerName, unit: 'ms' },
  ];
}

export const networks = (backend: Backend): Group => ({
  name: `networks/${backend}`,
  measure: (dir) => measure(dir, backend),
});
