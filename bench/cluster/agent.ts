/**
 * One simulated host: the control side of a daemon (session, mirrors, claims, what its kernel should know) on a connection of its own,
 * with the kernel left out. A claim carries the time at which it began in its name, so that whoever is told of it knows how long it took.
 */
import { overlayPeerPlan } from '../../drivers/overlay/peers.ts';
import type { OverlaySettings } from '../../drivers/overlay/settings.ts';
import { openClaims, type Claims } from '../../src/cluster/claims.ts';
import type { ClusterClock } from '../../src/cluster/clock.ts';
import { openHostSession } from '../../src/cluster/host-session.ts';
import { openHosts } from '../../src/cluster/hosts.ts';
import { endpointsOf, HOSTS, nameIn, NETWORKS } from '../../src/cluster/keys.ts';
import { openMirror, type Change, type Mirror } from '../../src/cluster/mirror.ts';
import { openPeerTable, type PeerTable, type PeerTableOptions } from '../../src/cluster/peers.ts';
import { parseEndpoint, parseHost } from '../../src/cluster/values.ts';
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import type { ClusterStore } from '../../src/model/cluster-store.ts';
import type { Network } from '../../src/model/records.ts';
import { openClusterStore } from '../../src/store/cluster/open-cluster-store.ts';
import { openBlockNetwork } from './block-network.ts';
import { hostId, vtepOf } from './layout.ts';

export const clock: ClusterClock = {
  now: () => performance.now(),
  after: (milliseconds, work) => {
    const timer = setTimeout(work, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** What agents of one process have seen. */
export interface Tally {
  events: number;
  /** Milliseconds from the beginning of a claim until another host wants it in its kernel. */
  convergences: number[];
  /** Milliseconds of a claim for whoever made it. */
  claims: number[];
  failures: number;
}

/** Milliseconds of the machine's monotonic clock, which all processes share. */
const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

export interface Joined {
  readonly network: Network;
  readonly mirror: Mirror;
  readonly claims: Pick<Claims, 'claim' | 'settle' | 'release'>;
  readonly table: Pick<PeerTable, 'hostsChanged' | 'take'>;
  /** Claimed by this agent while it ran. */
  readonly held: { readonly address: string; readonly id: string }[];
}

export class Agent {
  readonly id: string;
  readonly #store: ClusterStore;
  readonly #tally: Tally;
  readonly #joined: Joined[] = [];
  readonly #hosts;
  #claimed = 0;

  private constructor(host: number, store: ClusterStore, tally: Tally) {
    this.id = hostId(host);
    this.#store = store;
    this.#tally = tally;
    this.#hosts = openHosts({
      self: this.id,
      graceMs: 10_000,
      clock,
      onChange: (hosts) => {
        for (const { table } of this.#joined) {
          table.hostsChanged(hosts);
          table.take();
        }
      },
      onHold: () => undefined,
    });
  }

  static async start(url: string, host: number, tally: Tally): Promise<Agent> {
    const store = await openClusterStore({ store: parseClusterStore(url), timeoutMs: 20_000 });
    const agent = new Agent(host, store, tally);
    const session = openHostSession({
      store,
      hostId: agent.id,
      value: { name: agent.id, vtep: vtepOf(host), port: 4789, mtu: 1500, epoch: `${agent.id}/1` },
      ttlMs: 15_000,
      clock,
      onHeld: () => undefined,
      onLost: () => (tally.failures += 1),
    });
    await session.begin();
    const mirrors = [
      openMirror({
        store,
        prefix: HOSTS,
        clock,
        onChanges: (changes) => {
          agent.#hear(changes);
        },
      }),
      openMirror({ store, prefix: NETWORKS, clock, onChanges: (changes) => (tally.events += changes.length) }),
    ];
    await Promise.all(mirrors.map(({ listed }) => listed));
    return agent;
  }

  #hear(changes: readonly Change[]): void {
    this.#tally.events += changes.length;
    for (const { key, after } of changes) {
      const value = after === undefined ? undefined : parseHost(after.value);
      if (value === undefined) this.#hosts.vanished(nameIn(key));
      else this.#hosts.put(nameIn(key), value);
    }
  }

  /** `deaf`: it lists who is there and hears nothing after that, as if all its claims came before the first event. */
  async join(network: Network, hearing: 'hears' | 'deaf' = 'hears'): Promise<Joined> {
    const settings = network.settings as unknown as OverlaySettings;
    const table = openPeerTable({
      self: this.id,
      hostOf: (host) => this.#placeOf(host),
      planOf: (peer) => overlayPeerPlan(network, settings, peer),
    });
    const store = hearing === 'hears' ? this.#store : { ...this.#store, watch: () => ({ close: () => undefined }) };
    const mirror = openMirror({
      store,
      prefix: endpointsOf(network.id),
      clock,
      onChanges: (changes) => {
        table.apply(changes);
        table.take();
        this.#note(changes);
      },
    });
    const claims = openClaims({
      store: this.#store,
      self: this.id,
      mirror,
      clock,
      random: Math.random,
      quarantineMs: 60_000,
    });
    const joined = { network, mirror, claims, table, held: [] };
    this.#joined.push(joined);
    await mirror.listed;
    return joined;
  }

  /** A network whose hosts have blocks of addresses. */
  async joinBlocks(network: Network): Promise<void> {
    const opened = openBlockNetwork({
      store: this.#store,
      self: this.id,
      network,
      hostOf: (host) => this.#placeOf(host),
      clock,
      heard: (changes) => {
        this.#tally.events += changes.length;
      },
    });
    this.#joined.push({ ...opened, network, held: [] });
    await opened.mirror.listed;
  }

  #placeOf(host: string): ReturnType<PeerTableOptions['hostOf']> {
    const known = this.#hosts.find(host);
    return known === undefined ? undefined : { vtep: known.value.vtep, state: known.state };
  }

  get joined(): readonly Joined[] {
    return this.#joined;
  }

  async claim({ network, claims, held }: Joined): Promise<void> {
    const started = now();
    const id = `${this.id}-${String(++this.#claimed)}`;
    try {
      const { ip = '' } = await claims.claim({
        network,
        sandboxId: id,
        sandboxName: id,
        names: [`@${String(started)}`],
      });
      claims.settle([ip]);
      held.push({ address: ip, id });
      this.#tally.claims.push(now() - started);
    } catch {
      this.#tally.failures += 1;
    }
  }

  async release({ network, claims, held }: Joined): Promise<void> {
    const oldest = held.shift();
    if (oldest === undefined) return;
    await claims.release(network.id, oldest.id, [oldest.address]).catch(() => (this.#tally.failures += 1));
  }

  #note(changes: readonly Change[]): void {
    this.#tally.events += changes.length;
    for (const { before, after } of changes) {
      if (before !== undefined || after === undefined) continue;
      const { host, names = [] } = parseEndpoint(after.value) ?? {};
      if (host === this.id || names[0]?.startsWith('@') !== true) continue;
      this.#tally.convergences.push(now() - Number(names[0].slice(1)));
    }
  }
}
