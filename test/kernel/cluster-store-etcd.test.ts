/** The store of a cluster on a real etcd. */
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import type { ClusterStore } from '../../src/model/cluster-store.ts';
import { openEtcd } from '../../src/store/cluster/etcd/open-etcd.ts';
import { describeClusterStore } from '../support/cluster-store-suite.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { Lab } from '../support/lab.ts';
import { StoreNet } from '../support/store-net.ts';

const lab = new Lab();
let net: StoreNet;
let server: EtcdServer;

const open = (address: string): ClusterStore =>
  openEtcd({ ...parseClusterStore(`etcd://${address}`), options: {}, root: '/tsnet/v1/', timeoutMs: 2_000 });

describeClusterStore(
  'etcd',
  {
    start: async () => {
      net = await StoreNet.open(lab);
      server = new EtcdServer({ namespace: net.namespace, addresses: [net.weak, net.firm] });
      await server.start();
    },
    open: () => open(net.firm),
    stop: async () => {
      await server.stop();
      lab.close();
    },
  },
  2_000,
);
