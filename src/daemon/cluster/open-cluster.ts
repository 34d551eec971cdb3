/**
 * This host's part in a cluster, for as long as the daemon lives.
 *
 * From the store to the kernel: a mirror hears of a change (`cluster/mirror.ts`), it is put on file (`journal.ts`), a table says what the
 * kernel should have now (`cluster/peers.ts`), and the difference goes there (`programmer.ts`). From the engine to the store: an attach
 * claims its addresses first (`cluster/claims.ts`), and is answered when the others have had time to hear of it.
 *
 * The kernel outlives all of it: without the store, and without the daemon, packets go where they went.
 */
import os from 'node:os';
import path from 'node:path';
import { createNetwork, randomVnis, removeNetwork, updateNetwork } from '../../cluster/networks.ts';
import { pause, type ClusterClock } from '../../cluster/clock.ts';
import { openHostSession, type HostSession } from '../../cluster/host-session.ts';
import type { HostValue } from '../../cluster/values.ts';
import type { Cluster } from '../../engine/cluster.ts';
import type { EngineContext } from '../../engine/context.ts';
import type { ClusterInfo } from '../../engine/engine.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { ClusterConfig } from '../../model/config.ts';
import { TsnetError } from '../../model/error.ts';
import type { Network } from '../../model/records.ts';
import { familyOf } from '../../model/address.ts';
import { macFromAddress } from '../../model/mac.ts';
import type { ClusterDraft, Underlay } from '../../plan/driver.ts';
import type { Follower } from '../follower.ts';
import type { Log } from '../log.ts';
import { openCollector } from './collector.ts';
import { clusterFolder, ownEpoch } from './epoch.ts';
import { openGuard } from './guard.ts';
import { openHostList } from './host-list.ts';
import { peersOf } from './inspect-peers.ts';
import { openJoinedNetworks } from './joined-networks.ts';
import { openNetworkList } from './network-list.ts';
import { ownPlace, type Place } from './place.ts';

export interface ClusterOptions {
  readonly config: ClusterConfig;
  readonly execRoot: string;
  /** Of the moment: a reload makes another. */
  readonly context: EngineContext;
  readonly store: ClusterStore;
  readonly log: Log;
}

export interface ClusterPart extends Follower, Cluster {
  readonly remotePeers: NonNullable<EngineContext['remotePeers']>;
  readonly vteps: NonNullable<EngineContext['clusterVteps']>;
  /** Addresses of the containers on other hosts that answer to a name, in lower case, on a network. */
  readonly named: (networkId: string, name: string) => readonly string[];
  state(): ClusterInfo;
}

/** An hour: long enough for a repair, short enough for addresses to come back. */
const PATIENCE_MS = 3_600_000;
/** What the other hosts need to hear of an endpoint and tell their kernels. */
const HEARD_MS = 10;
const LONGEST_LIST_MS = 2000;
/** Until what we wrote ourselves has been told. */
const VERIFY_AFTER_MS = 1000;
/** Digits of the installation's id that are this host's in the cluster. */
const HOST_ID_DIGITS = 16;
const VNIS_AT_ONCE = 4;

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
  const session = openHostSession({
    store,
    hostId: self,
    value,
    ttlMs,
    clock,
    onHeld: () => {
      log.info({ host: self, address: place.address }, 'this host is in the cluster');
      rejoin();
    },
    onLost: (reason) => {
      log.warn({ reason }, 'this host has dropped out of the cluster; it joins again as soon as the store answers');
    },
  });
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
        log.warn({}, 'out of touch with the cluster store: running containers go on, and nothing new can be attached');
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
  });
  const underlay: Underlay = place.family === 4 ? { vtep: place.address } : { vtep6: place.address };
  const networks = openNetworkList({
    context,
    store,
    clock,
    log,
    underlay,
    onChange: () => void joined.sync(),
  });
  const collector = openCollector({
    store,
    self,
    session: () => session.current(),
    hosts: hostList.hosts,
    isHolding: () => hostList.held() !== undefined,
    clock,
    log,
    patienceMs: PATIENCE_MS,
  });

  rejoin = () => {
    if (!session.isHeld()) return;
    joined.rejoin().catch((error: unknown) => {
      log.warn({ error }, 'cannot look after our addresses in the cluster store; it is tried again when it answers');
    });
  };
  rejoin();

  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  const beInTouch = (): void => {
    if (session.isHeld()) return;
    throw outOfTouch(store, session.reason());
  };

  return {
    draft: () => {
      beInTouch();
      return Promise.resolve(
        draftFrom(
          place,
          [...hostList.hosts.all().values()].map((host) => host.value),
        ),
      );
    },
    underlay: () => underlay,
    withNetwork: (network, vnis, work) => {
      refuseBlocks(network);
      beInTouch();
      return networks.making(network, async () => {
        if ((await createNetwork(store, network, vnis)) === 'vni-taken') return 'vni-taken';
        try {
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
    claim: async (request) => {
      beInTouch();
      const { network } = request;
      const one = joined.pin(network);
      try {
        await within(one.mirror.listed, () => outOfTouch(store, `it does not tell who is on ${network.name}`));
        const claimed = await one.claims.claim(request);
        const heard = pause(clock, HEARD_MS);
        const addresses = [claimed.ip, claimed.ip6].filter((address) => address !== undefined);
        const mac = request.mac ?? macFromAddress(addresses[0] ?? '0.0.0.0');
        const text = JSON.stringify({ mac, host: self, id: request.sandboxId, names: request.names });
        for (const address of addresses) one.took(address, text);
        await Promise.all([one.flush(), guard.flush()]);
        return { ...claimed, heard };
      } catch (error) {
        joined.unpin(network.id);
        throw error;
      }
    },
    settle: (network, addresses) => {
      joined.find(network.id)?.claims.settle(addresses);
      joined.unpin(network.id);
    },
    release: async (network, sandboxId, addresses) => {
      try {
        beInTouch();
        const one = joined.pin(network);
        try {
          await one.claims.release(network.id, sandboxId, addresses);
        } finally {
          joined.unpin(network.id);
        }
      } catch (error) {
        log.warn(
          { network: network.name, addresses, error },
          'addresses are given back when the cluster store answers again',
        );
      }
    },
    remotePeers: (network) => {
      const one = joined.find(network.id);
      if (one === undefined || !one.mirror.isKnown()) return undefined;
      return one.peers();
    },
    vteps,
    named: (networkId, name) => joined.find(networkId)?.named(name) ?? [],
    peers: (networkId) =>
      peersOf({ store, networkId, self, hosts: hostList.hosts.all(), mirror: joined.find(networkId)?.mirror }),
    sync: async () => {
      await networks.sync();
      await joined.sync();
      void guard.flush();
    },
    state: () => ({
      hostId: self,
      name: value.name,
      address: place.address,
      port: place.port,
      mtu: place.mtu,
      store: store.status(),
      ...sessionState(session),
      hosts: [...hostList.hosts.all()]
        .filter(([id]) => id !== self)
        .map(([id, { value: host, state }]) => ({ id, name: host.name, address: host.vtep, state })),
      held: hostList.held()?.length ?? 0,
      networks: [...joined.all()].map((one) => ({
        name: one.network.name,
        endpoints: one.mirror.items().size,
        entries: one.plan().length,
        lagMs: Math.round(one.mirror.lagMs()),
      })),
      lagMs: Math.round(hostList.mirror.lagMs()),
      problems: [...networks.problems()].map(([name, reason]) => ({ name, reason })),
    }),
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

function draftFrom({ mtu, family, port }: Place, hosts: readonly HostValue[]): ClusterDraft {
  return {
    vnis: randomVnis(VNIS_AT_ONCE, Math.random),
    underlayMtu: Math.min(mtu, ...hosts.map((host) => host.mtu)),
    outerFamily: family,
    port,
  };
}

/** @throws TsnetError UNSUPPORTED */
function refuseBlocks({ name, settings }: Network): void {
  if (settings['mode'] !== 'block') return;
  throw new TsnetError(
    'UNSUPPORTED',
    `create network ${name}: mode=block: this version hands no blocks of addresses to hosts; leave the mode out`,
  );
}

function outOfTouch(store: ClusterStore, why: string | undefined): TsnetError {
  const { kind, endpoint, reason } = store.status();
  const where = endpoint === undefined ? kind : `${kind} at ${endpoint}`;
  return new TsnetError(
    'RUNTIME',
    `the cluster store (${where}) does not know this host to be alive: ${why ?? reason ?? 'no session'}`,
  );
}

async function within(work: Promise<void>, error: () => TsnetError): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(error());
    }, LONGEST_LIST_MS);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
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
