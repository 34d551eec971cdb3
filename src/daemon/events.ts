/**
 * What happened to networks, told from the ledger: a snapshot, and what of it is different at the next look. So changes of other
 * processes, of gc and of repair are events as well.
 */
import type { Ledger, LedgerView } from '../model/ledger.ts';
import type { Endpoint, Network, PublishedPort } from '../model/records.ts';
import type { Follower } from './follower.ts';
import type { Log } from './log.ts';

export type EventAction = 'create' | 'destroy' | 'connect' | 'disconnect' | 'prune' | 'publish' | 'unpublish';

export interface NetworkEvent {
  readonly action: EventAction;
  /** Id of the network; "" for what concerns no single one. */
  readonly networkId: string;
  /** Docker's: name, type, container. Ours besides: containerName, ports. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Unix time in nanoseconds; no two events have the same. */
  readonly timeNano: bigint;
}

export interface Events extends Follower {
  /** For what no ledger shows. */
  emit(event: Omit<NetworkEvent, 'timeNano'>): void;
  /** The events that are remembered, oldest first. */
  past(): readonly NetworkEvent[];
  /** `ended` is called when no more will come. */
  subscribe(listener: (event: NetworkEvent) => void, ended: () => void): () => void;
}

/** How many are remembered for `since`. */
const REMEMBERED = 1000;
const NANO_PER_MS = 1_000_000n;

interface SeenNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
}

interface SeenEndpoint {
  readonly id: string;
  readonly network: SeenNetwork;
  readonly sandboxId: string;
  readonly container: string;
  /** "0.0.0.0:8080->80/tcp" */
  readonly ports: ReadonlySet<string>;
}

export function openEvents({
  ledger,
  now,
  log,
}: {
  readonly ledger: Ledger;
  readonly now: () => number;
  readonly log: Log;
}): Events {
  const remembered: NetworkEvent[] = [];
  const listeners = new Map<(event: NetworkEvent) => void, () => void>();
  let networks: ReadonlyMap<string, SeenNetwork> | undefined;
  /** By sandbox, then by endpoint. */
  let endpoints = new Map<string, ReadonlyMap<string, SeenEndpoint>>();
  let last = 0n;

  const emit: Events['emit'] = (event) => {
    const clock = BigInt(Math.floor(now())) * NANO_PER_MS;
    last = clock > last ? clock : last + 1n;
    const told = { ...event, timeNano: last };
    remembered.push(told);
    if (remembered.length > REMEMBERED) remembered.shift();
    for (const listener of listeners.keys()) listener(told);
  };

  const look = (view: LedgerView, only?: ReadonlySet<string>): void => {
    const seen = seenNetworks(view, networks);
    const before = networks;
    const touched = seenEndpoints(view, seen, only);
    if (before === undefined) {
      networks = seen;
      endpoints = touched;
      return;
    }
    const changed = only ?? new Set([...endpoints.keys(), ...touched.keys()]);
    const pairs = [...changed].map((id) => [endpoints.get(id) ?? NONE, touched.get(id) ?? NONE] as const);
    networks = seen;
    for (const id of changed) {
      const there = touched.get(id);
      if (there === undefined) endpoints.delete(id);
      else endpoints.set(id, there);
    }
    // What went, then what came: in between nobody is on a network that is not there.
    for (const [was, is] of pairs) for (const event of departures(was, is)) emit(event);
    for (const network of before.values()) if (!seen.has(network.id)) emit(networkEvent('destroy', network));
    for (const network of seen.values()) if (!before.has(network.id)) emit(networkEvent('create', network));
    for (const [was, is] of pairs) for (const event of arrivals(was, is)) emit(event);
  };

  return {
    emit,
    past: () => remembered,
    subscribe: (listener, ended) => {
      listeners.set(listener, ended);
      return () => {
        listeners.delete(listener);
      };
    },
    sync: (only) => {
      try {
        ledger.read((view) => {
          look(view, only);
        });
      } catch (error) {
        log.error({ error }, 'events: the ledger cannot be read');
      }
      return Promise.resolve();
    },
    close: () => {
      const ends = [...listeners.values()];
      listeners.clear();
      for (const ended of ends) ended();
      return Promise.resolve();
    },
  };
}

const NONE: ReadonlyMap<string, SeenEndpoint> = new Map();

/** A network that is being made is not there yet, one that is being removed still is. */
function seenNetworks(
  view: LedgerView,
  before: ReadonlyMap<string, SeenNetwork> = new Map(),
): Map<string, SeenNetwork> {
  const there = view
    .networks()
    .filter(({ id, state }) => state !== 'creating' && (state === 'active' || before.has(id)));
  return new Map(there.map(({ id, name, driver }: Network) => [id, { id, name, driver }]));
}

function seenEndpoints(
  view: LedgerView,
  networks: ReadonlyMap<string, SeenNetwork>,
  only?: ReadonlySet<string>,
): Map<string, ReadonlyMap<string, SeenEndpoint>> {
  const records =
    only === undefined ? view.endpoints() : [...only].flatMap((sandboxId) => view.endpointsOfSandbox(sandboxId));
  const bySandbox = new Map<string, Map<string, SeenEndpoint>>();
  for (const endpoint of records) {
    const network = networks.get(endpoint.networkId);
    if (network === undefined || endpoint.state === 'attaching') continue;
    const { id, sandboxId } = endpoint;
    const container = view.sandbox(sandboxId)?.name ?? '';
    const ofSandbox = bySandbox.get(sandboxId) ?? new Map<string, SeenEndpoint>();
    ofSandbox.set(id, { id, network, sandboxId, container, ports: settledPorts(endpoint) });
    bySandbox.set(sandboxId, ofSandbox);
  }
  return bySandbox;
}

/** Without those that are being published or withdrawn: the end of that is the event. */
function settledPorts({ ports, changingPorts = [] }: Endpoint): ReadonlySet<string> {
  const changing = new Set(changingPorts.map(portText));
  return new Set(ports.map(portText).filter((port) => !changing.has(port)));
}

function portText({ hostAddress, hostPort, containerPort, count, protocol }: PublishedPort): string {
  const range = (first: number): string => (count === 1 ? `${first}` : `${first}-${first + count - 1}`);
  const address = hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
  return `${address}:${range(hostPort)}->${range(containerPort)}/${protocol}`;
}

type Untimed = Omit<NetworkEvent, 'timeNano'>;

function* departures(
  was: ReadonlyMap<string, SeenEndpoint>,
  is: ReadonlyMap<string, SeenEndpoint>,
): Generator<Untimed> {
  for (const endpoint of was.values()) {
    const still = is.get(endpoint.id);
    const gone = [...endpoint.ports].filter((port) => still?.ports.has(port) !== true);
    if (gone.length > 0) yield endpointEvent('unpublish', endpoint, gone);
    if (still === undefined) yield endpointEvent('disconnect', endpoint);
  }
}

function* arrivals(was: ReadonlyMap<string, SeenEndpoint>, is: ReadonlyMap<string, SeenEndpoint>): Generator<Untimed> {
  for (const endpoint of is.values()) {
    const earlier = was.get(endpoint.id);
    if (earlier === undefined) yield endpointEvent('connect', endpoint);
    const fresh = [...endpoint.ports].filter((port) => earlier?.ports.has(port) !== true);
    if (fresh.length > 0) yield endpointEvent('publish', endpoint, fresh);
  }
}

function networkEvent(action: EventAction, { id, name, driver }: SeenNetwork): Untimed {
  return { action, networkId: id, attributes: { name, type: driver } };
}

function endpointEvent(action: EventAction, endpoint: SeenEndpoint, ports: readonly string[] = []): Untimed {
  const { network, sandboxId, container } = endpoint;
  return {
    action,
    networkId: network.id,
    attributes: {
      container: sandboxId,
      containerName: container,
      name: network.name,
      ...(ports.length > 0 ? { ports: ports.join(',') } : {}),
      type: network.driver,
    },
  };
}
