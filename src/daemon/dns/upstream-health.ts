/**
 * How nameservers have answered lately: how long to wait for one before the next is asked as well, and which to leave out.
 *
 * A nameserver that let us wait is asked after the others. From time to time one question goes to it besides, so that its
 * return is noticed and nobody waits for it.
 */

export interface Server {
  readonly address: string;
  readonly port: number;
}

/** Milliseconds to wait before the next is asked too: at most what a person does not notice. */
const MOST_PATIENCE = 100;
const LEAST_PATIENCE = 50;
/** Milliseconds until one that did not answer is tried again; doubled each time. */
const FIRST_REST = 2000;
const LONGEST_REST = 60_000;
const MOST_SERVERS = 1024;

interface Health {
  /** Smoothed round trip and its variation, as TCP has them (RFC 6298), in milliseconds. */
  smoothed: number | undefined;
  variation: number;
  /** Milliseconds of the rest it was given last; 0: it answers. */
  rest: number;
  retryAt: number;
  /** A question went to it in its rest, to see. */
  isTried: boolean;
}

export interface UpstreamHealth {
  /**
   * Whom to ask, in order. The first `together` are asked at once: one that answers, and one that rests and whose time has come.
   */
  plan(place: string, servers: readonly Server[]): { readonly order: readonly Server[]; readonly together: number };
  patience(place: string, server: Server): number;
  answered(place: string, server: Server, milliseconds: number): void;
  /** It did not answer, or not before another that was asked later. */
  failed(place: string, server: Server): void;
}

export function openUpstreamHealth(now: () => number): UpstreamHealth {
  const known = new Map<string, Health>();
  const of = (place: string, { address, port }: Server): Health => {
    const key = `${place} ${address} ${port}`;
    const health = known.get(key) ?? { smoothed: undefined, variation: 0, rest: 0, retryAt: 0, isTried: false };
    known.delete(key);
    known.set(key, health);
    if (known.size > MOST_SERVERS) {
      for (const oldest of known.keys()) {
        known.delete(oldest);
        break;
      }
    }
    return health;
  };
  return {
    plan: (place, servers) => {
      const rests = (server: Server): boolean => of(place, server).rest > 0;
      const [well, resting] = [servers.filter((server) => !rests(server)), servers.filter(rests)];
      const due = resting.find((server) => of(place, server).retryAt <= now());
      if (due === undefined || well.length === 0) return { order: [...well, ...resting], together: 1 };
      const health = of(place, due);
      health.retryAt = now() + health.rest;
      health.isTried = true;
      const [first, ...others] = well;
      const order = [
        ...(first === undefined ? [] : [first]),
        due,
        ...others,
        ...resting.filter((each) => each !== due),
      ];
      return { order, together: 2 };
    },
    patience: (place, server) => {
      const { smoothed, variation } = of(place, server);
      if (smoothed === undefined) return MOST_PATIENCE;
      return Math.min(MOST_PATIENCE, Math.max(LEAST_PATIENCE, smoothed + 4 * variation));
    },
    answered: (place, server, milliseconds) => {
      const health = of(place, server);
      // Late is as good as never, to whoever waited.
      if (milliseconds <= MOST_PATIENCE) health.rest = 0;
      if (health.smoothed === undefined) {
        health.smoothed = milliseconds;
        health.variation = milliseconds / 2;
        return;
      }
      health.variation = 0.75 * health.variation + 0.25 * Math.abs(health.smoothed - milliseconds);
      health.smoothed = 0.875 * health.smoothed + 0.125 * milliseconds;
    },
    failed: (place, server) => {
      const health = of(place, server);
      // Many questions fail together when a server goes: they are one failure.
      if (health.rest > 0 && !health.isTried) return;
      health.isTried = false;
      health.rest = Math.min(LONGEST_REST, health.rest === 0 ? FIRST_REST : health.rest * 2);
      health.retryAt = now() + health.rest;
    },
  };
}
