/**
 * Held ports: published host ports are bound by the daemon, so that no other program takes one and wonders why nobody comes.
 *
 * A port that somebody took while the daemon was away is told once and tried again, alone; its rules stand, so packets go to the
 * container all the same. SCTP, and what a routed network publishes, take no port of the host.
 * A runtime that binds its containers' ports itself is left to it.
 */
import { driverOf, type EngineContext } from '../engine/context.ts';
import { reason } from '../engine/undo.ts';
import type { Endpoint, Family, Network, PublishedPort } from '../model/records.ts';
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
  /** What each sandbox is to have, by key. */
  const wanted = new Map<string, ReadonlyMap<string, HeldPort>>();
  /** Key → the sandbox that wants it now: a port may go from one to another between two looks. */
  const owners = new Map<string, string>();
  const held = new Map<string, () => void>();
  const taken = new Map<string, TakenPort>();
  /** When those are tried again that could not be held, and how long after that. */
  const retries = new Map<string, { readonly port: HeldPort; readonly atMs: number; readonly waitMs: number }>();
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
      retries.set(key, { port, atMs: context.now() + waitMs, waitMs });
      if (taken.has(key)) return;
      const holder = await holderOf(context, port);
      const found = { ...port, reason: reason(error), ...(holder === undefined ? {} : { holder }) };
      taken.set(key, { ...found, sinceMs: context.now() });
      log.warn(found, 'cannot hold a published port; its container is reached all the same');
    }
  };

  const letGo = (key: string): void => {
    held.get(key)?.();
    for (const known of [held, owners, retries, taken]) known.delete(key);
  };

  const sync = async (only?: ReadonlySet<string>): Promise<void> => {
    if (closed) return;
    try {
      const read = wantedPorts(context, only);
      const changed = only ?? new Set([...wanted.keys(), ...read.keys()]);
      for (const id of changed) {
        const [before, now] = [wanted.get(id) ?? NONE, read.get(id) ?? NONE];
        for (const key of before.keys()) if (!now.has(key) && owners.get(key) === id) letGo(key);
        for (const key of now.keys()) owners.set(key, id);
        if (now.size === 0) wanted.delete(id);
        else wanted.set(id, now);
      }
      for (const id of changed) {
        for (const [key, port] of wanted.get(id) ?? NONE) {
          if (!held.has(key) && held.size + taken.size < mostHeld) await take(key, port);
        }
      }
      for (const [key, { port }] of retries) await take(key, port);
    } catch (error) {
      log.error({ reason: reason(error) }, 'cannot read which ports to hold');
    }
    clearTimeout(timer);
    const next = Math.min(...[...retries.values()].map(({ atMs }) => atMs));
    if (next < Infinity) timer = setTimeout(() => void inTurn(NOBODY), Math.max(next - context.now(), 0)).unref();
  };

  let last: Promise<void> = Promise.resolve();
  const inTurn = (only?: ReadonlySet<string>): Promise<void> => (last = last.then(() => sync(only)));

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

const NONE: ReadonlyMap<string, HeldPort> = new Map();
const NOBODY: ReadonlySet<string> = new Set();

/** By sandbox, then by key; `only`: of these sandboxes. */
function wantedPorts(context: EngineContext, only?: ReadonlySet<string>): Map<string, Map<string, HeldPort>> {
  const wanted = new Map<string, Map<string, HeldPort>>();
  for (const { sandboxId, port } of portsOnTheHost(context, only)) {
    const { protocol, hostAddress, hostPort, count } = port;
    if (protocol === 'sctp') continue;
    const ofSandbox = wanted.get(sandboxId) ?? new Map<string, HeldPort>();
    wanted.set(sandboxId, ofSandbox);
    for (let number = hostPort; number < hostPort + Math.min(count, MOST_OF_A_RANGE); number++) {
      ofSandbox.set(`${protocol} ${hostAddress} ${number}`, { protocol, address: hostAddress, port: number });
    }
  }
  return wanted;
}

/** A network in gateway mode `routed` opens its containers' own ports and takes none of the host's. */
function portsOnTheHost(
  context: EngineContext,
  only?: ReadonlySet<string>,
): { readonly sandboxId: string; readonly port: PublishedPort }[] {
  return context.ledger.read((view) => {
    const routed = new Map<string, boolean>();
    const endpoints = only === undefined ? view.endpoints() : [...only].flatMap((id) => view.endpointsOfSandbox(id));
    return endpoints.flatMap((endpoint) => {
      const network = endpoint.ports.length === 0 ? undefined : view.network(endpoint.networkId);
      if (network === undefined || endpoint.runtimeHoldsPorts === true) return [];
      return endpoint.ports.flatMap((port) => {
        const family = port.hostAddress.includes(':') ? 6 : 4;
        const key = `${network.id} ${family}`;
        const isRouted = routed.get(key) ?? publishesRouted(context, network, { endpoint, family });
        routed.set(key, isRouted);
        return isRouted ? [] : [{ sandboxId: endpoint.sandboxId, port }];
      });
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
