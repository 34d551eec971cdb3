/**
 * From a `connect` on one host until a container on another can ping the new one: daemons, etcd and an underlay between them, all real.
 * Beside the same connect to a bridge network of one host, until a container next to it can: what is more is what the cluster costs.
 *
 * The ping begins when the connect is answered, so that the other container has not yet asked in vain. Each time the address is another.
 */
import type { Engine } from '../../src/engine/engine.ts';
import { eventually, HOSTS, makeContainer, makeHosts, startTsnet } from '../cluster/hosts.ts';
import { startEtcd } from '../cluster/etcd-process.ts';
import { untilAnswered } from '../data-plane/answers-ping.ts';
import { quantile, type Group, type Row } from '../group.ts';
import { inTurn, timed } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';

const RUNS = 100;
const WARM_UP = 20;
const PATIENCE_MS = 10_000;

/** Connects, pings until there is an answer, disconnects; milliseconds of the first two. */
export async function reached(connect: () => Promise<unknown>, asker: string, address: string): Promise<number> {
  return timed(async () => {
    await connect();
    untilAnswered(asker, address, PATIENCE_MS);
  });
}

/** Two daemons on a network with a container each that stays; answers how to reach one more. */
export async function overlayOf(
  dir: string,
): Promise<{ readonly here: Engine; readonly stays: string; readonly asker: string }> {
  const [here, there] = await Promise.all(HOSTS.map((host) => startTsnet(host, dir)));
  if (here === undefined || there === undefined) throw new Error('two hosts');
  await here.createNetwork({ name: 'ov', driver: 'overlay', ipam: [{ subnet: '10.77.0.0/16' }] });
  await eventually('the network on the other host', async () =>
    (await there.listNetworks()).some(({ name }) => name === 'ov') ? true : undefined,
  );
  const [stays, asker] = [await makeContainer('stays'), await makeContainer('asks')];
  await here.connect({ network: 'ov', container: stays, ip: '10.77.0.2' });
  await there.connect({ network: 'ov', container: asker, ip: '10.77.0.3' });
  return { here, stays, asker };
}

async function measure(dir: string): Promise<Row[]> {
  requireInstalled('etcd-server', 'etcd');
  await makeHosts();
  await startEtcd('/run/etcd');
  const { here, asker } = await overlayOf(dir);
  await here.createNetwork({ name: 'local', driver: 'bridge', ipam: [{ subnet: '10.78.0.0/16' }] });
  const [moves, neighbour] = [await makeContainer('moves'), await makeContainer('neighbour')];
  await here.connect({ network: 'local', container: neighbour, ip: '10.78.0.2' });
  const once = (network: string, prefix: string, from: string) => async (run: number) => {
    const ip = `${prefix}.1.${String(run + WARM_UP)}`;
    const took = await reached(() => here.connect({ network, container: moves, ip }), from, ip);
    await here.disconnect({ network, container: moves });
    return took;
  };
  const { ours, peer } = await inTurn(
    { runs: RUNS, warmUp: WARM_UP },
    once('ov', '10.77', asker),
    once('local', '10.78', neighbour),
  );
  const common = { peerName: 'the same on a bridge of one host', unit: 'ms' } as const;
  const at = (samples: readonly number[], q: number): number[] => [quantile(samples, q)];
  return [
    { name: 'connect → pinged from another host', ours, peer, ...common, promise: { medianAtMost: 30 } },
    {
      name: 'connect → pinged from another host, p99',
      ours: at(ours, 0.99),
      peer: at(peer, 0.99),
      ...common,
      promise: { medianAtMost: 150 },
    },
  ];
}

export const reach: Group = { name: 'reach', measure };
