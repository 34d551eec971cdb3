/** The store of a cluster on a real ZooKeeper. */
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import type { ClusterStore } from '../../src/model/cluster-store.ts';
import { openZookeeper } from '../../src/store/cluster/zookeeper/open-zookeeper.ts';
import { describeClusterStoreFaults } from '../support/cluster-fault-suite.ts';
import { describeClusterStore } from '../support/cluster-store-suite.ts';
import { Lab } from '../support/lab.ts';
import { StoreNet } from '../support/store-net.ts';
import { ZookeeperServer } from '../support/zookeeper-server.ts';

let lab: Lab;
let net: StoreNet;
let server: ZookeeperServer;

const open = (address: string): ClusterStore =>
  openZookeeper({ ...parseClusterStore(`zk://${address}`), options: {}, root: '/tsnet/v1/', timeoutMs: 2_000 });

const start = async (): Promise<void> => {
  lab = new Lab();
  net = await StoreNet.open(lab);
  server = new ZookeeperServer(net.namespace);
  await server.start();
};
const stop = async (): Promise<void> => {
  await server.stop();
  lab.close();
};

describeClusterStore('ZooKeeper', { start, open: () => open(net.firm), stop }, 2_000);

describeClusterStoreFaults(
  'ZooKeeper',
  {
    start,
    openWeak: () => open(net.weak),
    openFirm: () => open(net.firm),
    cut: () => net.cut(),
    heal: () => net.heal(),
    kill: () => server.kill(),
    restart: () => server.start(),
    stop,
  },
  { ttlMs: 3_000, expiryMs: 4_000, noticeMs: 9_000 },
);
