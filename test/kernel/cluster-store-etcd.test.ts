/** The store of a cluster on a real etcd. */
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import type { ClusterStore } from '../../src/model/cluster-store.ts';
import { openEtcd } from '../../src/store/cluster/etcd/open-etcd.ts';
import { describeClusterStoreFaults } from '../support/cluster-fault-suite.ts';
import { describeClusterStore } from '../support/cluster-store-suite.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { Lab } from '../support/lab.ts';
import { StoreNet } from '../support/store-net.ts';

let lab: Lab;
let net: StoreNet;
let server: EtcdServer;

const open = (address: string): ClusterStore =>
  openEtcd({ ...parseClusterStore(`etcd://${address}`), options: {}, root: '/tsnet/v1/', timeoutMs: 2_000 });

const start = async (): Promise<void> => {
  lab = new Lab();
  net = await StoreNet.open(lab);
  server = new EtcdServer({ namespace: net.namespace, addresses: [net.weak, net.firm] });
  await server.start();
};
const stop = async (): Promise<void> => {
  await server.stop();
  lab.close();
};

describeClusterStore('etcd', { start, open: () => open(net.firm), stop }, 2_000);

describeClusterStoreFaults(
  'etcd',
  {
    start,
    openWeak: () => open(net.weak),
    openFirm: () => open(net.firm),
    cut: () => net.cut(),
    heal: () => net.heal(),
    kill: () => server.kill(),
    restart: () => server.start(),
    compact: () => server.compact(),
    stop,
  },
  { ttlMs: 2_000, expiryMs: 3_000, noticeMs: 9_000 },
);
