/**
 * Addresses claimed by 64 hosts on one network, each on a connection of its own, as fast as each is answered; beside bare writes to the
 * same etcd over as many connections, which is what etcd and this machine do at most. etcd's files are on a tmpfs: how fast a disk
 * syncs is nothing that we could promise.
 *
 * Claimers are told of nobody else's claims: what they would hear costs 64 machines their processors, and here two. So all that a
 * claim knows is what the host listed when it began, and what it finds taken by asking.
 */
import { createNetwork } from '../../src/cluster/networks.ts';
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import { openClusterStore } from '../../src/store/cluster/open-cluster-store.ts';
import { Agent, type Joined, type Tally } from '../cluster/agent.ts';
import { openBareWriter } from '../cluster/bare-puts.ts';
import { ETCD_HTTP, ETCD_URL, startEtcd } from '../cluster/etcd-process.ts';
import { simulatedNetwork } from '../cluster/layout.ts';
import type { Group, Row } from '../group.ts';
import { inTurn } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';

const HOSTS = 64;
const RUNS = 10;
/** Claims of a run. */
const CLAIMS = 1600;
const NETWORK = 1;
const SUBNET = '172.16.0.0/12';

/** `count` of them, by everybody as fast as each can; how many a second. */
async function rate<T>(everybody: readonly T[], count: number, once: (one: T) => Promise<void>): Promise<number> {
  const started = performance.now();
  let left = count;
  const work = async (one: T): Promise<void> => {
    while (left-- > 0) await once(one);
  };
  await Promise.all(everybody.map(work));
  return (count / (performance.now() - started)) * 1000;
}

async function measure(): Promise<Row[]> {
  requireInstalled('etcd-server', 'etcd');
  await startEtcd('/run/etcd');
  const network = simulatedNetwork(NETWORK, SUBNET);
  const store = await openClusterStore({ store: parseClusterStore(ETCD_URL) });
  await createNetwork(store, network, [4096 + NETWORK]);
  await store.close();
  const tally: Tally = { events: 0, convergences: [], claims: [], failures: 0 };
  const hosts: (readonly [Agent, Joined])[] = [];
  for (let host = 0; host < HOSTS; host += 1) {
    const agent = await Agent.start(ETCD_URL, host, tally);
    hosts.push([agent, await agent.join(network, 'deaf')]);
  }
  const writers = hosts.map(([{ id }]) => openBareWriter(ETCD_HTTP, id));
  const { ours, peer } = await inTurn(
    { runs: RUNS },
    () => rate(hosts, CLAIMS, ([agent, joined]) => agent.claim(joined)),
    () => rate(writers, CLAIMS, (writer) => writer.put()),
  );
  if (tally.failures > 0) throw new Error(`${String(tally.failures)} claims failed`);
  return [
    {
      name: '64 hosts claim on one network',
      ours,
      peer,
      peerName: 'bare writes to the same etcd',
      unit: 'claims/s',
      promise: { medianAtLeast: 1000 },
    },
  ];
}

export const claims: Group = { name: 'claims', measure };
