/**
 * Held ports: published host ports are bound by the daemon, so that no other program takes one and wonders why nobody comes.
 *
 * A port that somebody took while the daemon was away is told once and tried again, alone; its rules stand, so packets go to the
 * container all the same. SCTP, and what a routed network publishes, take no port of the host.
 * A runtime that binds its containers' ports itself is left to it.
 */
import { driverOf, type EngineContext } from '../engine/context.ts';
import { reason } from '../engine/undo.ts';
import type { PortClaim } from '../model/ledger.ts';
import type { Endpoint, Family, Network } from '../model/records.ts';
import type { HeldPort, HoldPort } from '../plan/watch.ts';
import type { Follower } from './follower.ts';
import type { Log } from './log.ts';

export interface HeldPortsOptions {
  readonly context: EngineContext;
  readonly log: Log;
  readonly hold: HoldPort;
  /** Sockets to hold at most, a descriptor each; absent: 16,384. */
  readonly mostHeld?: number;
}

/** A published port that could not be held. */
export interface TakenPort extends HeldPort {
  readonly reason: string;
  /** "nginx (pid 812)", where it is known. */
  readonly holder?: string;
  /** Unix time in milliseconds. */
  readonly sinceMs: number;
}

export interface HeldPorts extends Follower {
  state(): { readonly held: number; readonly taken: readonly TakenPort[] };
}

/** Of a range of ports the first so many are held. */
export const MOST_OF_A_RANGE = 256;
const MOST_HELD = 16_384;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export function openHeldPorts({ context, log, hold, mostHeld = MOST_HELD }: HeldPortsOptions): HeldPorts {
  const held = new Map<string, () => void>();
  const taken = new Map<string, TakenPort>();
  /** When those are tried again that could not be held, and how long after that. */
  const retries = new Map<string, { readonly atMs: number; readonly waitMs: number }>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const take = async (key: string, port: HeldPort): Promise<void> => {
    const retry = retries.get(key);
    if (retry !== undefined && retry.atMs > context.now()) return;
    try {
      held.set(key, hold(port));
      retries.delete(key);
      if (taken.delete(key)) log.info(port, 'a published port is free again and held');
    } catch (error) {
      const waitMs = retry === undefined ? FIRST_RETRY_MS : Math.min(retry.waitMs * 2, LONGEST_RETRY_MS);
      retries.set(key, { atMs: context.now() + waitMs, waitMs });
      if (taken.has(key)) return;
      const holder = await holderOf(context, port);
      const found = { ...port, reason: reason(error), ...(holder === undefined ? {} : { holder }) };
      taken.set(key, { ...found, sinceMs: context.now() });
      log.warn(found, 'cannot hold a published port; its container is reached all the same');
    }
  };

  const sync = async (): Promise<void> => {
    if (closed) return;
    try {
      const wanted = wantedPorts(context, mostHeld);
      for (const [key, release] of held) {
        if (wanted.has(key)) continue;
        release();
        held.delete(key);
      }
      for (const key of retries.keys()) {
        if (wanted.has(key)) continue;
        retries.delete(key);
        taken.delete(key);
      }
      for (const [key, port] of wanted) if (!held.has(key)) await take(key, port);
    } catch (error) {
      log.error({ reason: reason(error) }, 'cannot read which ports to hold');
    }
    clearTimeout(timer);
    const next = Math.min(...[...retries.values()].map(({ atMs }) => atMs));
    if (next < Infinity) timer = setTimeout(() => void inTurn(), Math.max(next - context.now(), 0)).unref();
  };

  let last: Promise<void> = Promise.resolve();
  const inTurn = (): Promise<void> => (last = last.then(sync));

  return {
    sync: inTurn,
    state: () => ({ held: held.size, taken: [...taken.values()] }),
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await last;
      for (const release of held.values()) release();
      held.clear();
    },
  };
}

function wantedPorts(context: EngineContext, most: number): Map<string, HeldPort> {
  const wanted = new Map<string, HeldPort>();
  for (const { protocol, hostAddress, hostPort, count } of claimsOnTheHost(context)) {
    if (protocol === 'sctp') continue;
    for (let port = hostPort; port < hostPort + Math.min(count, MOST_OF_A_RANGE); port++) {
      if (wanted.size === most) return wanted;
      wanted.set(`${protocol} ${hostAddress} ${port}`, { protocol, address: hostAddress, port });
    }
  }
  return wanted;
}

/** A network in gateway mode `routed` opens its containers' own ports and takes none of the host's. */
function claimsOnTheHost(context: EngineContext): PortClaim[] {
  return context.ledger.read((view) => {
    const routed = new Map<string, boolean>();
    return view.ports().filter((claim) => {
      const endpoint = view.endpoint(claim.endpointId);
      const network = endpoint === undefined ? undefined : view.network(endpoint.networkId);
      if (endpoint === undefined || network === undefined || endpoint.runtimeHoldsPorts === true) return false;
      const family = claim.hostAddress.includes(':') ? 6 : 4;
      const key = `${network.id} ${family}`;
      const isRouted = routed.get(key) ?? publishesRouted(context, network, { endpoint, family });
      routed.set(key, isRouted);
      return !isRouted;
    });
  });
}

function publishesRouted(
  context: EngineContext,
  network: Network,
  { endpoint, family }: { readonly endpoint: Endpoint; readonly family: Family },
): boolean {
  try {
    const plan = driverOf(context, network).endpointPlan(network, endpoint);
    return plan.some(
      (resource) => resource.kind === 'publish' && resource.family === family && resource.mode === 'routed',
    );
  } catch {
    // Its driver is gone or broken; the claim stands.
    return false;
  }
}

async function holderOf({ kernel }: EngineContext, { protocol, port }: HeldPort): Promise<string | undefined> {
  try {
    const listener = (await kernel.listeners([protocol])).find((one) => one.port === port);
    return listener === undefined ? undefined : kernel.socketHolder(listener.inode);
  } catch {
    return undefined;
  }
}
