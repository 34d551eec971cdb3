/**
 * Which hosts are there, and which of those that went are dead.
 *
 * A key that vanishes is no dead host yet: it is given a grace. Many that vanish together are a fault of the store, not of the
 * hosts: then nothing is changed, and a person is told. A host that returns is alive at once; those that are still missing then get
 * another grace, and are looked at again without those that came back.
 */
import type { ClusterClock } from './clock.ts';
import type { HostValue } from './values.ts';

/** `gone`: within its grace. `held`: too many went with it. Only what was on a `dead` host is taken away. */
export type HostState = 'alive' | 'gone' | 'held' | 'dead';

export interface KnownHost {
  readonly value: HostValue;
  readonly state: HostState;
}

export interface HostsOptions {
  /** This host: never dead to itself, and not counted. */
  readonly self: string;
  readonly graceMs: number;
  readonly clock: ClusterClock;
  readonly known?: ReadonlyMap<string, KnownHost>;
  /** Hosts whose place or state is another now. */
  readonly onChange: (hostIds: readonly string[]) => void;
  /** So many hosts vanished at once that nobody is taken for dead; undefined: over. */
  readonly onHold: (missing: readonly string[] | undefined) => void;
}

export interface Hosts {
  all(): ReadonlyMap<string, KnownHost>;
  /** Undefined for one that was never seen. */
  find(hostId: string): KnownHost | undefined;
  put(hostId: string, value: HostValue): void;
  vanished(hostId: string): void;
  /** While the store is out of reach, nobody dies. */
  setLive(isLive: boolean): void;
  /** Forgotten for good. */
  forget(hostId: string): void;
  close(): void;
}

/** Within so long, vanishing is "together". */
const TOGETHER_MS = 60_000;
const MOST_TOGETHER = 10;
const MOST_SHARE = 0.2;

interface Entry {
  value: HostValue;
  state: HostState;
  goneAtMs: number;
  callOff: () => void;
}

const NOTHING = (): void => undefined;

export function openHosts({ self, graceMs, clock, known, onChange, onHold }: HostsOptions): Hosts {
  const hosts = new Map<string, Entry>();
  let isLive = true;
  let isHolding = false;
  let toldCount = 0;

  const missing = (): [string, Entry][] =>
    [...hosts].filter(([id, { state }]) => id !== self && (state === 'gone' || state === 'held'));

  /** Whether those who are missing are too many to believe it. One alone is believed, in the smallest of clusters too. */
  const isMass = (at: number): boolean => {
    const together = missing().filter(([, { state, goneAtMs }]) => state === 'held' || at - goneAtMs <= TOGETHER_MS);
    const others = [...hosts].filter(([id, { state }]) => id !== self && state !== 'dead').length;
    return together.length > 1 && (together.length > MOST_TOGETHER || together.length > others * MOST_SHARE);
  };

  const hold = (holds: boolean): void => {
    if (!holds && !isHolding) return;
    const told = holds ? missing().map(([id]) => id) : undefined;
    if (isHolding && told?.length === toldCount) return;
    isHolding = holds;
    toldCount = told?.length ?? 0;
    onHold(told);
  };

  const startGrace = (id: string, entry: Entry): void => {
    entry.callOff();
    entry.callOff = isLive
      ? clock.after(graceMs, () => {
          judge(id, entry);
        })
      : NOTHING;
  };

  /** Its grace is over: it is dead, or held with the rest. */
  const judge = (id: string, entry: Entry): void => {
    entry.callOff = NOTHING;
    const mass = isMass(clock.now());
    entry.state = mass ? 'held' : 'dead';
    hold(mass);
    onChange([id]);
  };

  /** Another grace for all that are missing. */
  const giveTime = (): void => {
    for (const [id, entry] of missing()) {
      entry.goneAtMs = clock.now();
      startGrace(id, entry);
    }
  };

  for (const [id, { value, state }] of known ?? []) {
    hosts.set(id, { value, state, goneAtMs: clock.now(), callOff: NOTHING });
  }
  giveTime();

  return {
    all: () => hosts,
    find: (hostId) => hosts.get(hostId),
    put: (hostId, value) => {
      const entry = hosts.get(hostId);
      const isSame = entry?.state === 'alive' && JSON.stringify(entry.value) === JSON.stringify(value);
      if (entry === undefined) {
        hosts.set(hostId, { value, state: 'alive', goneAtMs: 0, callOff: NOTHING });
      } else {
        const wasMissing = entry.state === 'gone' || entry.state === 'held';
        entry.callOff();
        Object.assign(entry, { value, state: 'alive', callOff: NOTHING });
        if (wasMissing) giveTime();
        if (isHolding && missing().length === 0) hold(false);
      }
      if (!isSame) onChange([hostId]);
    },
    vanished: (hostId) => {
      const entry = hosts.get(hostId);
      if (entry?.state !== 'alive') return;
      entry.state = 'gone';
      entry.goneAtMs = clock.now();
      startGrace(hostId, entry);
      onChange([hostId]);
    },
    setLive: (now) => {
      if (isLive === now) return;
      isLive = now;
      if (isLive) giveTime();
      else for (const [, entry] of missing()) entry.callOff();
    },
    forget: (hostId) => {
      const entry = hosts.get(hostId);
      if (entry === undefined) return;
      entry.callOff();
      hosts.delete(hostId);
      // Without it, the others who are missing may be few enough to be believed.
      if (entry.state === 'gone' || entry.state === 'held') giveTime();
      if (isHolding && missing().length === 0) hold(false);
      onChange([hostId]);
    },
    close: () => {
      for (const { callOff } of hosts.values()) callOff();
    },
  };
}
