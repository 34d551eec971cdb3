/**
 * The overlay beside dockerd's own, on the same two hosts, the same underlay and the same etcd: how soon a container that is connected
 * can be pinged from the other host, and how much goes through. Both are asked over their API's socket.
 */
import { startEtcd } from '../cluster/etcd-process.ts';
import { NETWORK, runSleeper, startDockerHosts } from '../cluster/docker-hosts.ts';
import { ETCD_ADDRESS, eventually, HOSTS, makeContainer, makeHosts } from '../cluster/hosts.ts';
import { overlayOf, reached } from '../control-plane/reach.ts';
import { holdConnection, type HeldConnection } from '../data-plane/held-connection.ts';
import { quantile, type Group, type Row } from '../group.ts';
import { inTurn, timed } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';

const RUNS = 25;
const WARM_UP = 5;
const STREAM_RUNS = 30;
const STREAM_BYTES = 8 << 20;
/** A sample is the best of so many tries: what disturbs one only ever makes it slower. */
const TRIES = 4;
const PORT = 5000;

const at = (samples: readonly number[], q: number): number[] => [quantile(samples, q)];
const streamed = (connection: HeldConnection): number =>
  Math.max(...Array.from({ length: TRIES }, () => connection.stream(STREAM_BYTES)));

async function measure(dir: string): Promise<Row[]> {
  requireInstalled('docker.io', 'dockerd', 'docker', 'containerd', 'runc', 'busybox');
  requireInstalled('etcd-server', 'etcd');
  await makeHosts();
  await startEtcd('/run/etcd', { advertise: `http://${ETCD_ADDRESS}:2379`, v2: true });
  const { here, asker, stays } = await overlayOf(dir);
  const moves = await makeContainer('moves');

  const [first, second] = await startDockerHosts(dir);
  await first.docker('network', 'create', '--driver', 'overlay', '--subnet', '10.99.0.0/16', NETWORK);
  await eventually("dockerd's network on the other host", () =>
    second.docker('network', 'inspect', NETWORK).then(
      () => true,
      () => undefined,
    ),
  );
  await first.docker('network', 'create', 'local');
  await runSleeper(first, 'moves', 'local');
  await runSleeper(first, 'stays', NETWORK, '--ip', '10.99.0.2');
  await runSleeper(second, 'asks', NETWORK, '--ip', '10.99.0.3');
  const theirAsker = await second.netns('asks');

  const answered = { ours: [] as number[], peer: [] as number[] };
  const { ours, peer } = await inTurn(
    { runs: RUNS, warmUp: WARM_UP },
    async (run) => {
      const target = { network: NETWORK, container: moves };
      const ip = `10.77.1.${String(run + WARM_UP)}`;
      const took = await reached(
        async () => {
          const connected = await timed(() => here.connect({ ...target, ip }));
          if (run >= 0) answered.ours.push(connected);
        },
        asker,
        ip,
      );
      await here.disconnect(target);
      return took;
    },
    async (run) => {
      const ip = `10.99.1.${String(run + WARM_UP)}`;
      const request = { Container: 'moves', EndpointConfig: { IPAMConfig: { IPv4Address: ip } } };
      const took = await reached(
        async () => {
          const connected = await timed(() => first.api.post(`/networks/${NETWORK}/connect`, request));
          if (run >= 0) answered.peer.push(connected);
        },
        theirAsker,
        ip,
      );
      await first.api.post(`/networks/${NETWORK}/disconnect`, { Container: 'moves' });
      return took;
    },
  );

  const ports = { port: PORT, serverPort: PORT };
  const [client, server] = HOSTS;
  const overlay = holdConnection({ client: stays, server: asker, address: '10.77.0.3', ...ports });
  const theirs = holdConnection({
    client: await first.netns('stays'),
    server: theirAsker,
    address: '10.99.0.3',
    ...ports,
  });
  const underlay = holdConnection({ client: client.netns, server: server.netns, address: server.address, ...ports });
  const bare: number[] = [];
  const throughput = await inTurn(
    { runs: STREAM_RUNS },
    (run) => {
      const wire = streamed(underlay);
      if (run >= 0) bare.push(wire);
      return Promise.resolve(streamed(overlay));
    },
    () => Promise.resolve(streamed(theirs)),
  );
  const common = { peerName: "dockerd's overlay on etcd", unit: 'ms' } as const;
  const flow = { peerName: common.peerName, unit: 'Gbit/s' } as const;
  return [
    { name: 'connect → pinged from another host', ours, peer, ...common, promise: { atMost: 1 } },
    { name: 'connect → pinged from another host, p99', ours: at(ours, 0.99), peer: at(peer, 0.99), ...common },
    { name: 'connect is answered', ...answered, ...common },
    { name: 'throughput, container ↔ container', ...throughput, ...flow, promise: { atLeast: 1 } },
    { name: 'host ↔ host (dockerd ÷ it)', ours: bare, peer: throughput.peer, ...flow },
    {
      name: 'container ↔ container ÷ host ↔ host',
      ours: throughput.ours,
      peer: bare,
      ...flow,
      peerName: 'host ↔ host',
    },
  ];
}

export const dockerdOverlay: Group = { name: 'dockerd-overlay', measure };
