/** All parts of the daemon that mirror the ledger, opened in the order in which they are needed. */
import type { EngineContext } from '../engine/context.ts';
import { leasedEndpoints, renewLease } from '../engine/dhcp-renewal.ts';
import type { DaemonInfo } from '../engine/host-info.ts';
import { watchChanges } from '../kernel/change-events.ts';
import { hostSockets } from '../kernel/host-sockets.ts';
import { namespaceId } from '../kernel/namespace-id.ts';
import { openNatAnchor } from '../kernel/nat-anchor.ts';
import { holdPort } from '../kernel/port-holds.ts';
import { watchProcesses } from '../kernel/process-ends.ts';
import { readParameter } from '../kernel/sysctl-executor.ts';
import { openDeadContainers } from './dead-containers.ts';
import { openDhcpRenewal, type RenewalClock } from './dhcp-renewal.ts';
import type { RemoteNames } from './dns/answer.ts';
import { openNameService } from './dns/name-service.ts';
import type { Follower } from './follower.ts';
import { openHealer } from './heal/healer.ts';
import { openHeldPorts } from './held-ports.ts';
import { openKernelChanges } from './kernel-changes.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';

export interface Followers {
  /** Names are a part of their own: not every change waits for them. */
  readonly names: Follower;
  readonly followers: readonly Follower[];
  /** What `tsnet info` tells of them. */
  readonly state: () => Pick<DaemonInfo, 'repaired' | 'flapping' | 'heldPorts' | 'takenPorts' | 'namesServed'>;
  readonly close: () => Promise<void>;
}

export interface FollowersRequest {
  readonly context: EngineContext;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called when the kernel says that something of ours changed, which another process may have done. */
  readonly onForeignChange: () => void;
  /** The daemon itself changed the ledger, for no client. */
  readonly onOwnChange: () => void;
  /** Who has a name on other hosts. */
  readonly remote: RemoteNames;
}

const HOST_RESOLV_CONF = '/etc/resolv.conf';

export async function openFollowers(request: FollowersRequest): Promise<Followers> {
  const { context, log, metrics, onForeignChange, onOwnChange, remote } = request;
  const sockets = hostSockets();
  const changes = await openKernelChanges(watchChanges);
  changes.subscribe({
    onHost: ({ tag }) => {
      if (tag !== undefined) onForeignChange();
    },
    onNamespace: onForeignChange,
  });

  const names = openNameService({
    ledger: context.ledger,
    // Asked of the kernel layer of the moment: a reload opens another.
    kernel: {
      isHost: (netns) => context.kernel.isHost(netns),
      netnsInUse: (netns) => context.kernel.netnsInUse(netns),
    },
    execRoot: context.config.execRoot,
    hostResolvConf: HOST_RESOLV_CONF,
    resolverDefaults: () => context.config,
    log,
    now: context.now,
    remote,
    onQuery: (result) => {
      metrics.onQuery(result);
      if (result === 'cached') metrics.onCacheHit();
    },
  });
  const ports = openHeldPorts({ context, log, hold: holdPort });
  const dead = openDeadContainers({
    context,
    log,
    changes,
    watchProcesses,
    // A socket of the name service would keep the namespace of a dead container alive.
    letGo: (ids) => names.sync(ids),
    onCollected: onOwnChange,
  });
  const leases = openDhcpRenewal({
    leases: (only) => context.ledger.read((view) => leasedEndpoints(view, only)),
    onEvent: (what) => {
      if (what === 'moved') onOwnChange();
    },
    renew: (endpointId) => renewLease(context, endpointId),
    clock: CLOCK,
    log,
  });
  const healer = context.config.selfHeal
    ? openHealer({
        context,
        log,
        changes,
        namespaceId: (netns) => namespaceId(sockets.socket('route'), netns),
        readParameter,
        onRepaired: ({ what }) => {
          metrics.onRepaired(what.split(' ', 1)[0] ?? what);
        },
      })
    : undefined;
  const hasRules = context.config.selfHeal && context.kernel.firewallBackend() !== 'none';
  const anchor = hasRules ? await openNatAnchor() : undefined;
  const followers = [ports, dead, leases, ...(healer === undefined ? [] : [healer])];
  return {
    names,
    followers,
    state: () => ({
      repaired: healer?.state().repaired ?? 0,
      flapping: healer?.state().flapping ?? [],
      heldPorts: ports.state().held,
      takenPorts: ports.state().taken,
      namesServed: names.serving(),
    }),
    close: async () => {
      for (const follower of followers.toReversed()) await follower.close();
      await names.close();
      changes.close();
      await anchor?.close();
      await sockets.close();
    },
  };
}

const CLOCK: RenewalClock = {
  now: () => Date.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
