/**
 * This host's part in a cluster, for as long as the daemon lives.
 *
 * From the store to the kernel: a mirror hears of a change (`cluster/mirror.ts`), it is put on file (`journal.ts`), a table says what the
 * kernel should have now (`cluster/peers.ts`), and the difference goes there (`programmer.ts`). From the engine to the store: an attach
 * has its addresses first (`cluster/claims.ts`, `cluster/blocks.ts`), and is answered when the others have had time to hear of it.
 *
 * The kernel outlives all of it: without the store, and without the daemon, packets go where they went.
 */
import os from 'node:os';
import path from 'node:path';
import type { ClusterClock } from '../../cluster/clock.ts';
import { openHostSession } from '../../cluster/host-session.ts';
import type { HostValue } from '../../cluster/values.ts';
import { layoutOf, type Cluster } from '../../engine/cluster.ts';
import type { EngineContext } from '../../engine/context.ts';
import type { ClusterInfo } from '../../engine/host-info.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { ClusterConfig } from '../../model/config.ts';
import { familyOf } from '../../model/address.ts';
import type { Underlay } from '../../plan/driver.ts';
import type { Follower } from '../follower.ts';
import type { Log } from '../log.ts';
import { clusterHosts } from './cluster-hosts.ts';
import { clusterInfo } from './cluster-info.ts';
import { LEFT_FOR_MS, openCollector } from './collector.ts';
import { clusterFolder, ownEpoch } from './epoch.ts';
import { openGuard } from './guard.ts';
import { openHostList } from './host-list.ts';
import { peersOf } from './inspect-peers.ts';
import type { JoinedNetwork } from './joined-network.ts';
import { openJoinedNetworks } from './joined-networks.ts';
import { networkChanges } from './network-changes.ts';
import { openNetworkList } from './network-list.ts';
import { ownPlace } from './place.ts';
import { outOfTouch } from './touch.ts';

export interface ClusterOptions {
  readonly config: ClusterConfig;
  readonly execRoot: string;
  /** Of the moment: a reload makes another. */
  readonly context: EngineContext;
  readonly store: ClusterStore;
  readonly log: Log;
  /** Networks of other hosts came or went in the ledger. */
  readonly onNetworks: () => void;
}

export interface ClusterPart extends Follower, Cluster {
  readonly remotePeers: NonNullable<EngineContext['remotePeers']>;
  readonly vteps: NonNullable<EngineContext['clusterVteps']>;
  /** Addresses of the containers on other hosts that answer to a name, in lower case, on a network. Rejects where nobody can say. */
  readonly named: (networkId: string, name: string) => ReturnType<JoinedNetwork['named']>;
  /** What the container on another host that has an address is called first. Rejects where nobody can say. */
  readonly nameOf: (networkId: string, address: string) => ReturnType<JoinedNetwork['nameOf']>;
  state(): ClusterInfo;
}

/** Until what we wrote ourselves has been told. */
const VERIFY_AFTER_MS = 1000;
/** Digits of the installation's id that are this host's in the cluster. */
const HOST_ID_DIGITS = 16;

const CLOCK: ClusterClock = {
  now: () => performance.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** @throws TsnetError CONFLICT where another host has our id, CONFIG where this host's own place is not known */
export async function openCluster(options: ClusterOptions): Promise<ClusterPart> {
  const { config, execRoot, context, store, log } = options;
  const clock = CLOCK;
  const place = await ownPlace(config, await context.kernel.facts());
  const self = context.ledger.read((view) => view.installationId()).slice(0, HOST_ID_DIGITS);
  const folder = clusterFolder(execRoot);
  const ttlMs = config.ttlSeconds * 1000;
  const value: HostValue = {
    name: os.hostname(),
    vtep: place.address,
    port: place.port,
    mtu: place.mtu,
    epoch: ownEpoch(folder),
  };
  /** Until everything stands there is nothing to look after. */
  let rejoin = (): void => undefined;
  /** When the store last heard of this host for certain; undefined while it does. */
  let outSince: number | undefined = clock.now();
  const session = openHostSession({
    store,
    hostId: self,
    value,
    ttlMs,
    clock,
    onHeld: () => {
      outSince = undefined;
      log.info({ host: self, address: place.address }, 'this host is in the cluster');
      rejoin();
    },
    onLost: (reason) => {
      outSince = clock.now() - ttlMs;
      log.warn({ reason }, 'this host has dropped out of the cluster; it joins again as soon as the store answers');
    },
  });
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  const beInTouch = (): void => {
    if (session.isHeld()) return;
    throw outOfTouch(store, session.reason());
  };

  await session.begin();
  if (!session.isHeld())
    log.warn({ reason: session.reason() }, 'the cluster store does not answer; it is asked again and again');

  const hostList = openHostList({
    store,
    self,
    graceMs: (ttlMs * 2) / 3,
    clock,
    log,
    file: path.join(folder, 'hosts.json'),
    onChange: (ids) => {
      for (const network of joined.all()) network.hostsChanged(ids);
      void guard.flush();
    },
    onLive: (isLive) => {
      if (isLive) log.info({}, 'in touch with the cluster store');
      else
        log.warn(
          {},
          'out of touch with the cluster store: running containers go on; new ones are attached only out of blocks of addresses that this host has',
        );
      if (isLive) rejoin();
    },
    onSelfGone: () => {
      clock.after(VERIFY_AFTER_MS, () => {
        session.verify().catch(() => undefined);
      });
    },
  });
  const vteps = (): readonly string[] | undefined => {
    if (!hostList.mirror.isKnown()) return undefined;
    const others = [...hostList.hosts.all()].filter(([id, { state }]) => id !== self && state !== 'dead');
    return [...new Set(others.map(([, host]) => host.value.vtep))].filter((vtep) => familyOf(vtep) === place.family);
  };
  const guard = openGuard(context, log);
  const joined = openJoinedNetworks({
    context,
    store,
    self,
    hosts: hostList.hosts,
    clock,
    log,
    folder,
    quarantineMs: context.config.quarantineSeconds * 1000,
    onLive: () => {
      rejoin();
    },
    beInTouch,
    outageMs: () => (outSince === undefined ? 0 : clock.now() - outSince),
    isActive: (networkId) => networks.isActive(networkId),
  });
  const underlay: Underlay = place.family === 4 ? { vtep: place.address } : { vtep6: place.address };
  const networks = openNetworkList({
    context,
    store,
    clock,
    log,
    underlay,
    onChange: () => {
      void joined.sync();
      options.onNetworks();
    },
  });
  const collector = openCollector({
    store,
    self,
    session: () => session.current(),
    hosts: hostList.hosts,
    isHolding: () => hostList.held() !== undefined,
    clock,
    log,
    patienceMs: LEFT_FOR_MS,
  });

  rejoin = () => {
    if (!session.isHeld()) return;
    joined.rejoin().catch((error: unknown) => {
      log.warn({ error }, 'cannot look after our addresses in the cluster store; it is tried again when it answers');
    });
  };
  rejoin();

  return {
    ...networkChanges({ store, self, name: value.name, place, hosts: hostList.hosts, networks, log, beInTouch }),
    ...clusterHosts({
      store,
      self,
      hostList,
      session: () => session.current(),
      beInTouch,
      networkName: (networkId) =>
        context.ledger.read((view) => view.network(networkId))?.name ?? networkId.slice(0, 12),
      log,
      now: context.now,
    }),
    underlay: () => underlay,
    claim: async (request) => {
      const { network } = request;
      const one = joined.pin(network);
      try {
        const claim = await one.claim(request);
        await Promise.all([one.flush(), guard.flush()]);
        return claim;
      } catch (error) {
        joined.unpin(network.id);
        throw error;
      }
    },
    assign: async (request) => {
      const { network } = request;
      try {
        await joined.pin(network).assign(request);
      } finally {
        joined.unpin(network.id);
      }
    },
    settle: (network, addresses) => {
      joined.find(network.id)?.settle(addresses);
      joined.unpin(network.id);
    },
    release: async (network, sandboxId, addresses) => {
      const one = joined.pin(network);
      try {
        await one.release(sandboxId, addresses);
      } catch (error) {
        log.warn(
          { network: network.name, addresses, error },
          'addresses are given back when the cluster store answers again',
        );
      } finally {
        joined.unpin(network.id);
      }
    },
    remotePeers: (network) => {
      const one = joined.find(network.id);
      if (one === undefined || !one.mirror.isKnown()) return undefined;
      return one.peers();
    },
    vteps,
    named: (networkId, name) => joined.find(networkId)?.named(name) ?? [],
    nameOf: (networkId, address) => joined.find(networkId)?.nameOf(address),
    peers: (networkId) => {
      const network = context.ledger.read((view) => view.network(networkId));
      const layout = network === undefined ? undefined : layoutOf(context, network);
      const mirror = joined.find(networkId)?.mirror;
      return peersOf({ store, networkId, layout, self, hosts: hostList.hosts.all(), mirror });
    },
    sync: async () => {
      await networks.sync();
      await joined.sync();
      void guard.flush();
    },
    state: () => clusterInfo({ self, value, store, session, hostList, joined, networks }),
    close: async () => {
      collector.close();
      await networks.close();
      hostList.close();
      await joined.close();
      await guard.close();
      // The key stays for its time: a daemon that is started again soon was never away for the others.
      await session.close(false);
      await store.close();
    },
  };
}
