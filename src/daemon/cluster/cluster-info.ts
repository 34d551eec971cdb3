/** What `tsnet info` says of the cluster. */
import type { HostSession } from '../../cluster/host-session.ts';
import type { HostValue } from '../../cluster/values.ts';
import type { ClusterInfo } from '../../engine/host-info.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { HostList } from './host-list.ts';
import type { JoinedNetworks } from './joined-networks.ts';
import type { NetworkList } from './network-list.ts';

export interface ClusterParts {
  readonly self: string;
  readonly value: HostValue;
  readonly store: Pick<ClusterStore, 'status'>;
  readonly session: HostSession;
  readonly hostList: HostList;
  readonly joined: Pick<JoinedNetworks, 'all'>;
  readonly networks: Pick<NetworkList, 'problems'>;
}

export function clusterInfo({ self, value, store, session, hostList, joined, networks }: ClusterParts): ClusterInfo {
  return {
    hostId: self,
    name: value.name,
    address: value.vtep,
    port: value.port,
    mtu: value.mtu,
    store: store.status(),
    ...sessionState(session),
    hosts: [...hostList.hosts.all()]
      .filter(([id]) => id !== self)
      .map(([id, { value: host, state }]) => ({ id, name: host.name, address: host.vtep, state })),
    held: hostList.held()?.length ?? 0,
    networks: [...joined.all()].map((one) => ({
      name: one.network.name,
      ...one.counts(),
      entries: one.plan().length,
      lagMs: Math.round(one.mirror.lagMs()),
    })),
    lagMs: Math.round(hostList.mirror.lagMs()),
    problems: [...networks.problems()].map(([name, reason]) => ({ name, reason })),
  };
}

function sessionState(session: HostSession): Pick<ClusterInfo, 'session' | 'sessionRemainingMs' | 'sessionReason'> {
  const remaining = session.remainingMs();
  const reason = session.reason();
  return {
    session: session.isHeld() ? 'held' : 'lost',
    ...(remaining === undefined ? {} : { sessionRemainingMs: Math.round(remaining) }),
    ...(reason === undefined ? {} : { sessionReason: reason }),
  };
}
