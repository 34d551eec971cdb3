/**
 * Attach and detach through the daemon's API: beside the kernel's own cost, and beside dockerd's API where there is one. Whoever asks
 * is this process, over one connection that is kept open.
 */
import { remoteEngine } from '../../src/client/remote-engine.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { SOCKET, startDaemon } from '../daemon-process.ts';
import { firewallFloor } from '../firewall-floor.ts';
import { Skipped, type Group, type Row, type SkippedRow } from '../group.ts';
import { thereAndBack, timed } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';
import { attachBare, deleteBare, floorEndpoint, openFloor } from '../kernel-floor.ts';
import { openDockerApi } from '../peers/docker-api.ts';
import { startDockerd } from '../peers/dockerd.ts';
import { openHost, type Backend, type TsnetHost } from '../tsnet-host.ts';

const RUNS = 40;
const WARM_UP = 30;
const PEER_RUNS = 15;
/** Containers with a port each. */
const CROWD = 500;
const NETWORK = 'web';
const BRIDGE = 'bench0';

async function besideFloor(engine: Engine, { container }: TsnetHost, backend: Backend): Promise<Row[]> {
  const [ours, bare] = [container('ours').path, container('bare').path];
  const floor = await openFloor(BRIDGE);
  const endpoint = floorEndpoint(bare, '10.10');
  const firewall = firewallFloor(backend);
  const request = { network: NETWORK, container: ours };
  const { plan } = await engine.connect({ ...request, ports: ['9000:80'], dryRun: true });
  const change = firewall.change(plan);
  const { there: attach, back: detach } = await thereAndBack(
    { runs: RUNS, warmUp: WARM_UP },
    {
      there: () => engine.connect({ ...request, ports: ['8080:80'] }),
      back: () => engine.disconnect(request),
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
    { name: 'attach with 1 port, API', ...attach, peerName, unit: 'ms', promise: { atMost: 3 } },
    { name: 'detach with 1 port, API', ...detach, peerName, unit: 'ms' },
  ];
}

async function besideDockerd(engine: Engine, { container }: TsnetHost, dir: string): Promise<(Row | SkippedRow)[]> {
  const name = 'attach with 1 port, API';
  try {
    requireInstalled('docker.io', 'dockerd', 'docker', 'containerd', 'runc', 'busybox');
  } catch (error) {
    if (error instanceof Skipped) return [{ name, skipped: error.message }];
    throw error;
  }
  const api = openDockerApi(await startDockerd(dir));
  const theirs = (verb: string): Promise<unknown> => api.post(`/networks/${NETWORK}/${verb}`, { Container: 'moves' });
  await theirs('disconnect');
  const target = { network: NETWORK, container: container('moves').path };
  const { there: attach } = await thereAndBack(
    { runs: PEER_RUNS, warmUp: 3 },
    { there: () => engine.connect({ ...target, ports: ['8090:80'] }), back: () => engine.disconnect(target) },
    { there: () => theirs('connect'), back: () => theirs('disconnect') },
  );
  api.close();
  return [{ name, ...attach, peerName: "dockerd's API", unit: 'ms' }];
}

/** One more container where there are many already: what the daemon keeps in step with the ledger must not cost what all have. */
async function besideNobody(engine: Engine, { container }: TsnetHost): Promise<Row> {
  const target = { network: NETWORK, container: container('one-more').path };
  const samples = async (): Promise<number[]> => {
    const taken: number[] = [];
    for (let run = -WARM_UP; run < RUNS; run += 1) {
      const took = await timed(() => engine.connect({ ...target, ports: ['8080:80'] }));
      await engine.disconnect(target);
      if (run >= 0) taken.push(took);
    }
    return taken;
  };
  const peer = await samples();
  for (let number = 0; number < CROWD; number += 1) {
    const ports = [`${10_000 + 2 * number}:80`];
    await engine.connect({ network: NETWORK, container: container(`crowd${number}`).path, ports });
  }
  const ours = await samples();
  return { name: `attach number ${CROWD + 1}, API`, ours, peer, peerName: 'attach number 1, API', unit: 'ms' };
}

async function measure(dir: string, backend: Backend): Promise<(Row | SkippedRow)[]> {
  const host = await openHost(dir, backend);
  await startDaemon(host.env);
  const engine = remoteEngine(SOCKET);
  await engine.createNetwork({ name: NETWORK, ipam: [{ subnet: '10.10.0.0/16' }], options: { 'bridge.name': BRIDGE } });
  return [
    ...(await besideFloor(engine, host, backend)),
    ...(await besideDockerd(engine, host, dir)),
    ...(backend === 'nftables' ? [await besideNobody(engine, host)] : []),
  ];
}

export const daemon = (backend: Backend): Group => ({
  name: `daemon/${backend}`,
  measure: (dir) => measure(dir, backend),
});
