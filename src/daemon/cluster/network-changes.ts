/** The part of the cluster that makes, changes and removes networks: for all hosts first, then on record here. */
import type { Hosts } from '../../cluster/hosts.ts';
import { enterDockerHost, leaveDockerHost } from '../../cluster/docker-hosts.ts';
import { createNetwork, networkNamed, randomVnis, removeNetwork, updateNetwork } from '../../cluster/networks.ts';
import type { Cluster } from '../../engine/cluster.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { Network } from '../../model/records.ts';
import type { Log } from '../log.ts';
import type { NetworkList } from './network-list.ts';
import type { Place } from './place.ts';

export interface NetworkChangesOptions {
  readonly store: ClusterStore;
  readonly self: string;
  /** What people call this host. */
  readonly name: string;
  readonly place: Place;
  readonly hosts: Hosts;
  readonly networks: NetworkList;
  readonly log: Log;
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  readonly beInTouch: () => void;
}

const VNIS_AT_ONCE = 4;

type NetworkChanges = Pick<
  Cluster,
  'draft' | 'withNetwork' | 'updateNetwork' | 'removeNetwork' | 'networkNamed' | 'holdForDocker' | 'releaseForDocker'
>;

export function networkChanges({
  store,
  self,
  name,
  place,
  hosts,
  networks,
  log,
  beInTouch,
}: NetworkChangesOptions): NetworkChanges {
  const holdForDocker = (network: Network): Promise<void> => enterDockerHost(store, network, { host: self, name });
  return {
    networkNamed: (wanted) => {
      beInTouch();
      return networkNamed(store, wanted);
    },
    holdForDocker: (network) => {
      beInTouch();
      return holdForDocker(network);
    },
    releaseForDocker: (network) => {
      beInTouch();
      return leaveDockerHost(store, network.id, self);
    },
    draft: () => {
      beInTouch();
      const { mtu, family, port } = place;
      return Promise.resolve({
        vnis: randomVnis(VNIS_AT_ONCE, Math.random),
        underlayMtu: Math.min(mtu, ...[...hosts.all().values()].map((host) => host.value.mtu)),
        outerFamily: family,
        port,
      });
    },
    withNetwork: (network, vnis, work) => {
      beInTouch();
      return networks.making(network, async () => {
        if ((await createNetwork(store, network, vnis)) === 'vni-taken') return 'vni-taken';
        try {
          if (network.docker !== undefined) await holdForDocker(network);
          return await work();
        } catch (error) {
          await removeNetwork(store, { network, vnis, self }).catch((cause: unknown) => {
            log.error(
              { network: network.name, error: cause },
              'a network that was not made cannot be taken back from the cluster',
            );
          });
          throw error;
        }
      });
    },
    updateNetwork: (network) => {
      beInTouch();
      return updateNetwork(store, network);
    },
    removeNetwork: (network, vnis) => {
      beInTouch();
      return removeNetwork(store, { network, vnis, self });
    },
  };
}
