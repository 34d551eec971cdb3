/**
 * The contract between tsnet and a driver: the page that the author of a driver reads first.
 *
 * A driver is a value made by `defineDriver`. It decides; it never acts. `configure` runs once, when a network is created: it
 * sees the options and the host, refuses what cannot be, and freezes every decision in `settings`. From then on the plans
 * are computed from the records alone, so that the same plan serves to make, remove, compare and print.
 *
 * All functions are plain and synchronous: a planner that awaits, reads a file, looks at the clock or runs a program is a bug.
 */
import type { Endpoint, Family, JsonObject, Network, Pool } from '../model/records.ts';
import type { Facts } from './kernel.ts';
import type { Plan } from './resource.ts';

/** The number of this contract. It changes when a driver written for it could no longer work. */
export const DRIVER_API = 1;

/** Marks what `defineDriver` made, across copies of this module: a driver's package may bring its own. */
export const MADE_BY_DEFINE_DRIVER: unique symbol = Symbol.for('tsnet.driver') as never;

/** JSON Schema (draft-07 subset) of a driver's options: an object schema whose properties carry a `description`. */
export type OptionsSchema = JsonObject;

/** A network that is about to be created, options parsed by the driver's schema. */
export interface NetworkDraft {
  readonly id: string;
  readonly name: string;
  readonly internal: boolean;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly pools: readonly Pool[];
  /** `-o` values, names resolved to ours ("bridge.name"), values typed by the schema. */
  readonly options: JsonObject;
  readonly predefined: boolean;
}

/** The values of daemon.json that reach drivers. */
export interface DriverDefaults {
  readonly ipForward: boolean;
  readonly ipMasquerade: boolean;
  readonly icc: boolean;
  readonly mtu: number;
  readonly publishAddress: string;
  readonly allowDirectRouting: boolean;
}

/** What the cluster gives a new network of scope `global`, the same for every host. */
export interface ClusterDraft {
  /** VXLAN network identifiers that nobody else of the cluster uses; a network takes the first. */
  readonly vnis: readonly number[];
  /** The smallest MTU among the ways between the hosts, bytes. */
  readonly underlayMtu: number;
  /** Family of the hosts' underlay addresses. */
  readonly outerFamily: Family;
  /** UDP port of VXLAN. */
  readonly port: number;
}

/** One host's place in the underlay. */
export interface Underlay {
  /** Its IPv4 address there, where it has one. */
  readonly vtep?: string;
  readonly vtep6?: string;
}

/**
 * What another host has of a network: an endpoint, or, where each host gives addresses out of blocks of its own (`mode=block`), all
 * the blocks of that host.
 */
export type Peer =
  | {
      readonly kind: 'endpoint';
      /** "10.77.0.5", "fd00:77::5"; without a length. */
      readonly addresses: readonly string[];
      readonly mac: string;
      /** Underlay address of its host, of the network's outer family. */
      readonly vtep: string;
    }
  | {
      readonly kind: 'blocks';
      /** "10.77.3.0/24" */
      readonly blocks: readonly string[];
      readonly vtep: string;
    };

export interface ConfigureInput {
  readonly draft: NetworkDraft;
  /** The networks that there are. */
  readonly networks: readonly Network[];
  readonly facts: Facts;
  readonly defaults: DriverDefaults;
  /** Absent where this host is in no cluster. */
  readonly cluster?: ClusterDraft;
}

/** An option's names: Docker's (and podman's) spellings that mean ours. */
export type OptionAliases = Readonly<Record<string, string>>;

/** How the endpoints of a network are named and published unless the request says otherwise. */
export interface EndpointDefaults {
  /** Interfaces inside sandboxes are this and the lowest free number: "eth". */
  readonly interfacePrefix: string;
  /** Host address of published ports given without one; "0.0.0.0" means "::" as well where the endpoint has an IPv6 address. */
  readonly publishAddress: string;
  /** Why ports cannot be published on this network, where they cannot. */
  readonly refusesPorts?: string;
  /** Why a MAC cannot be chosen, where containers have that of the parent link; it is not recorded then. */
  readonly refusesMac?: string;
  /** Link of the host on whose segment nobody may have an address before a container gets it. */
  readonly probeLink?: string;
  /** Link of the host on whose segment DHCP servers are asked (`--ipam-driver dhcp`), where containers have MACs of their own. */
  readonly dhcpLink?: string;
  /** `link`: what leaves the subnet goes out of the interface without a next hop (ipvlan l3). */
  readonly defaultRoute?: 'link';
  /** What whoever creates the network should know of it. */
  readonly caveat?: string;
}

export interface DriverDefinition<Settings> {
  readonly name: string;
  readonly api: typeof DRIVER_API;
  readonly scope: 'local' | 'global';
  /**
   * Whether its networks lease addresses. `lan`: from subnets of a LAN whose gateway is a router out there: there is one only if it
   * is given, and it is on no link of ours.
   */
  readonly ipam: 'pools' | 'lan' | 'none';
  /** Kinds of link (IFLA_INFO_KIND) that its networks stand on: `tsnet info` says whether this kernel has them. */
  readonly linkKinds?: readonly string[];
  /** Of these, the one that every container gets: without it in the kernel no network is created. */
  readonly endpointLink?: string;
  /**
   * For drivers whose networks take no endpoints: why `connect` is refused, and how `run` runs on them, `alone` in a namespace
   * of its own or in that of the host.
   */
  readonly refusesEndpoints?: { readonly reason: string; readonly runs: 'alone' | 'on-the-host' };
  /** Schema of `-o` values by our names. */
  readonly options: OptionsSchema;
  /** Docker's option names → ours: `{ "com.docker.network.bridge.name": "bridge.name" }`. */
  readonly aliases: OptionAliases;
  /** Decides everything that depends on options, defaults and host; throws TsnetError to refuse. */
  readonly configure: (input: ConfigureInput) => Settings;
  readonly endpointDefaults: (network: Network, settings: Settings) => EndpointDefaults;
  /** Settings with another MTU, for a network in use; throws TsnetError to refuse. Absent: it cannot change. */
  readonly changeMtu?: (
    network: Network,
    settings: Settings,
    change: { readonly mtu: number; readonly facts: Facts },
  ) => Settings;
  /**
   * The settings as this host keeps them in its own ledger. Those that `configure` decided on are the same for all hosts of a
   * cluster; a driver whose plans name the host's own place among them has this. Throws TsnetError to refuse.
   */
  readonly localize?: (network: Network, settings: Settings, underlay: Underlay) => Settings;
  /**
   * Where each host of a cluster gives addresses out of blocks of its own: the prefix length of the blocks that the network's one IPv4
   * subnet is cut into; an IPv6 subnet is cut into as many. Undefined: each address is claimed by itself, in the whole cluster.
   */
  readonly blockLength?: (network: Network, settings: Settings) => number | undefined;
  /** Where hosts have blocks, so that no host is told of the containers of others: whether their names are told through the store. */
  readonly tellsNames?: (network: Network, settings: Settings) => boolean;
  /** What must exist on this host for what another host has of the network, in the order in which it is made. */
  readonly peerPlan?: (network: Network, settings: Settings, peer: Peer) => Plan;
  /**
   * What keeps strangers out of the network's underlay: `vteps` are the hosts that may speak to this one. Networks may share
   * parts of it, which stay as long as one of them does.
   */
  readonly guardPlan?: (network: Network, settings: Settings, vteps: readonly string[]) => Plan;
  /** What must exist for the network. */
  readonly networkPlan: (network: Network, settings: Settings) => Plan;
  /** What must exist for one endpoint, default routes left out: those belong to the sandbox (`sandbox-plan.ts`). */
  readonly endpointPlan: (network: Network, settings: Settings, endpoint: Endpoint) => Plan;
}

/** A driver as the engine holds it, its settings type closed over. */
export interface Driver extends Omit<
  DriverDefinition<JsonObject>,
  | 'endpointDefaults'
  | 'changeMtu'
  | 'localize'
  | 'blockLength'
  | 'tellsNames'
  | 'peerPlan'
  | 'guardPlan'
  | 'networkPlan'
  | 'endpointPlan'
> {
  readonly [MADE_BY_DEFINE_DRIVER]: true;
  readonly endpointDefaults: (network: Network) => EndpointDefaults;
  readonly changeMtu?: (network: Network, change: { readonly mtu: number; readonly facts: Facts }) => JsonObject;
  readonly localize?: (network: Network, underlay: Underlay) => JsonObject;
  readonly blockLength?: (network: Network) => number | undefined;
  readonly tellsNames?: (network: Network) => boolean;
  readonly peerPlan?: (network: Network, peer: Peer) => Plan;
  readonly guardPlan?: (network: Network, vteps: readonly string[]) => Plan;
  readonly networkPlan: (network: Network) => Plan;
  readonly endpointPlan: (network: Network, endpoint: Endpoint) => Plan;
}

/**
 * Makes a driver. `parseSettings` turns the JSON of the ledger back into the driver's own type; it is where a driver
 * that changed its settings between versions reads the old ones.
 */
export function defineDriver<Settings extends JsonObject>(
  definition: DriverDefinition<Settings> & { readonly parseSettings: (settings: JsonObject) => Settings },
): Driver {
  const { parseSettings, endpointDefaults, changeMtu, networkPlan, endpointPlan, ...others } = definition;
  const { localize, blockLength, tellsNames, peerPlan, guardPlan, ...rest } = others;
  return {
    ...rest,
    [MADE_BY_DEFINE_DRIVER]: true,
    endpointDefaults: (network) => endpointDefaults(network, parseSettings(network.settings)),
    ...(changeMtu === undefined
      ? {}
      : { changeMtu: (network, change) => changeMtu(network, parseSettings(network.settings), change) }),
    ...(localize === undefined
      ? {}
      : { localize: (network, underlay) => localize(network, parseSettings(network.settings), underlay) }),
    ...(blockLength === undefined
      ? {}
      : { blockLength: (network) => blockLength(network, parseSettings(network.settings)) }),
    ...(tellsNames === undefined
      ? {}
      : { tellsNames: (network) => tellsNames(network, parseSettings(network.settings)) }),
    ...(peerPlan === undefined
      ? {}
      : { peerPlan: (network, peer) => peerPlan(network, parseSettings(network.settings), peer) }),
    ...(guardPlan === undefined
      ? {}
      : { guardPlan: (network, vteps) => guardPlan(network, parseSettings(network.settings), vteps) }),
    networkPlan: (network) => networkPlan(network, parseSettings(network.settings)),
    endpointPlan: (network, endpoint) => endpointPlan(network, parseSettings(network.settings), endpoint),
  };
}
