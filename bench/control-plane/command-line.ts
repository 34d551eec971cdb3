/** `dist/tsnet.js` as a process, start to end: beside an empty Node.js, and beside the kernel's own cost of what it does. */
import { firewallFloor } from '../firewall-floor.ts';
import type { Group, Row } from '../group.ts';
import { inTurn, thereAndBack, timed } from '../in-turn.ts';
import { attachBare, deleteBare, floorEndpoint, openFloor } from '../kernel-floor.ts';
import { outputWith } from '../run-with.ts';
import { openHost, TSNET, type Backend } from '../tsnet-host.ts';

const RUNS = 20;
const START_RUNS = 40;

type Node = (...args: readonly string[]) => Promise<string>;

async function besideFloor(dir: string, backend: Backend): Promise<Row[]> {
  const { engine, container, env } = await openHost(dir, backend);
  const tsnet: Node = (...args) => outputWith('', [process.execPath, TSNET, ...args], env);
  await engine.createNetwork({
    name: 'web',
    ipam: [{ subnet: '10.10.0.0/16' }],
    options: { 'bridge.name': 'bench0' },
  });
  const [ours, bare] = [container('ours').path, container('bare').path];
  const floor = await openFloor('bench0');
  const endpoint = floorEndpoint(bare, '10.10');
  const firewall = firewallFloor(backend);
  const { plan } = await engine.connect({ network: 'web', container: ours, ports: ['9000:80'], dryRun: true });
  const change = firewall.change(plan);
  const { there: attach, back: detach } = await thereAndBack(
    { runs: RUNS },
    {
      there: () => tsnet('connect', '-p', '8080:80', 'web', ours),
      back: () => tsnet('disconnect', 'web', ours),
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
  const peerName = `bare netlink + ${firewall.name}, in process`;
  return [
    { name: 'tsnet connect -p 8080:80', ...attach, peerName, unit: 'ms' },
    { name: 'tsnet disconnect', ...detach, peerName, unit: 'ms' },
  ];
}

async function start(dir: string): Promise<Row[]> {
  const { env } = await openHost(dir, 'iptables');
  const node: Node = (...args) => outputWith('', [process.execPath, ...args], env);
  const samples = await inTurn(
    { runs: START_RUNS },
    () => timed(() => node(TSNET, 'ls')),
    () => timed(() => node('-e', '0')),
  );
  return [{ name: 'tsnet ls', ...samples, peerName: 'node -e 0', unit: 'ms', promise: { atMost: 1.6 } }];
}

export const commandLine = (backend: Backend): Group => ({
  name: `command-line/${backend}`,
  measure: (dir) => besideFloor(dir, backend),
});

export const startUp: Group = { name: 'start-up', measure: start };
