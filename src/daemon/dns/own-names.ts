/**
 * What the ledger knows of a name, as one sandbox may see it.
 *
 * A sandbox sees the names of its own networks only. Names of others are ours all the same: they are answered with "no such
 * name" and never asked for outside. Names with dots are the public tree's unless they end in a network's name, or somebody on
 * the asker's own networks has taken them: an alias "www.example.org" on one network hides nothing from another.
 */
import { contains, parseAddress, parsePrefix, withoutLength, type Prefix } from '../../model/address.ts';
import type { LedgerView } from '../../model/ledger.ts';
import type { Endpoint, Family, Network } from '../../model/records.ts';
import { addressOfReverseName } from './reverse-name.ts';

/** Who asks. */
export interface Asker {
  /** The networks that it is on, in the order in which they are asked. */
  readonly networks: readonly Network[];
}

export type OwnName =
  /** Addresses on one network; none when the name has only the other family. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  /** The name of an address. */
  | { readonly kind: 'pointer'; readonly name: string }
  /** Ours, and not for this asker; or an address of ours that nobody has. */
  | { readonly kind: 'unknown' }
  /** Nothing of ours. */
  | { readonly kind: 'foreign' };

const FOREIGN: OwnName = { kind: 'foreign' };
const UNKNOWN: OwnName = { kind: 'unknown' };

/** Drivers whose subnets are those of a LAN, with other people's machines in it that the LAN's nameserver knows. */
const ON_A_LAN: ReadonlySet<string> = new Set(['macvlan', 'ipvlan']);

function isUp({ state }: Endpoint): boolean {
  return state !== 'attaching' && state !== 'detaching';
}

/** The networks of a sandbox, in the order in which they are asked: that of the default route first. */
export function askerOf(view: LedgerView, sandboxId: string): Asker {
  const endpoints = view.endpointsOfSandbox(sandboxId).filter(isUp);
  endpoints.sort((a, b) => b.gatewayPriority - a.gatewayPriority || a.ordinal - b.ordinal);
  return { networks: endpoints.flatMap(({ networkId }) => view.network(networkId) ?? []) };
}

/** A name as it may be asked for on one network. */
interface Candidate {
  readonly network: Network;
  readonly name: string;
}

/** On each network the name itself, and what is before its ".network". */
export function candidates(asker: Asker, name: string): Candidate[] {
  return asker.networks.flatMap((network) => {
    const suffix = `.${network.name.toLowerCase()}`;
    const bare = name.endsWith(suffix) ? name.slice(0, -suffix.length) : '';
    return bare === ''
      ? [{ network, name }]
      : [
          { network, name },
          { network, name: bare },
        ];
  });
}

/** Names in `*.` form that a name falls under, the longest first. */
function wildcardsOver(name: string): string[] {
  const labels = name.split('.');
  return labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`);
}

function endpointsFor(view: LedgerView, asker: Asker, name: string): Endpoint[][] {
  const wanted = candidates(asker, name);
  const named = (list: readonly Candidate[]): Endpoint[][] =>
    list
      .map((candidate) => view.endpointsNamed(candidate.network.id, candidate.name).filter(isUp))
      .filter((endpoints) => endpoints.length > 0);
  const exact = named(wanted);
  if (exact.length > 0) return exact;
  const open = wanted.filter(({ network }) => view.hasWildcards(network.id));
  if (open.length === 0) return [];
  for (const depth of wildcardsOver(name).keys()) {
    const found = named(
      open.flatMap((candidate) => {
        const wildcard = wildcardsOver(candidate.name)[depth];
        return wildcard === undefined ? [] : [{ ...candidate, name: wildcard }];
      }),
    );
    if (found.length > 0) return found;
  }
  return [];
}

function addressesOf(endpoints: readonly Endpoint[], family: Family): string[] {
  return endpoints.flatMap(({ addresses }) =>
    addresses
      .map(({ address }) => withoutLength(address))
      .filter((address) => address.includes(':') === (family === 6)),
  );
}

/** All that is asked for by a name, for one family or both. `name` in lower case, without the dot at its end. */
export function lookUpName(
  view: LedgerView,
  index: NetworkIndex,
  asker: Asker,
  { name, families }: { readonly name: string; readonly families: readonly Family[] },
): OwnName {
  const found = endpointsFor(view, asker, name);
  if (found.length > 0) {
    for (const endpoints of found) {
      const addresses = families.flatMap((family) => addressesOf(endpoints, family));
      if (addresses.length > 0) return { kind: 'addresses', addresses };
    }
    return { kind: 'addresses', addresses: [] };
  }
  return isOurs(view, index, name) ? UNKNOWN : FOREIGN;
}

/** A bare name that anybody has, or one that ends in the name of a network where somebody has the rest. */
function isOurs(view: LedgerView, index: NetworkIndex, name: string): boolean {
  if (!name.includes('.')) return view.isName(name);
  for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
    if (index.has(name.slice(dot + 1)) && view.isName(name.slice(0, dot))) return true;
  }
  return false;
}

/** The name of an address that is asked for in reverse; `undefined` for names of another form. */
export function lookUpAddress(view: LedgerView, index: NetworkIndex, asker: Asker, name: string): OwnName | undefined {
  const address = addressOfReverseName(name);
  if (address === undefined) return undefined;
  for (const network of asker.networks) {
    const endpoint = endpointAt(view, network.id, address);
    const sandbox = endpoint === undefined || !isUp(endpoint) ? undefined : view.sandbox(endpoint.sandboxId);
    if (sandbox !== undefined) return { kind: 'pointer', name: `${sandbox.name}.${network.name}` };
  }
  const around = index.networksAround(address);
  const isHeld = around.some(({ id, driver }) => !ON_A_LAN.has(driver) || endpointAt(view, id, address) !== undefined);
  return isHeld ? UNKNOWN : FOREIGN;
}

function endpointAt(view: LedgerView, networkId: string, address: string): Endpoint | undefined {
  const holder = view.lease(networkId, address);
  return holder?.kind === 'endpoint' ? view.endpoint(holder.endpointId) : undefined;
}

/** All networks, by name and by subnet. */
export interface NetworkIndex {
  /** Whether a network has this name, in lower case. */
  has(name: string): boolean;
  networksAround(address: string): readonly Network[];
}

/** Made anew when a network has come, gone or changed: the ledger counts that. */
export function openNetworkIndex(): (view: LedgerView) => NetworkIndex {
  let known: { readonly generation: number; readonly index: NetworkIndex } | undefined;
  return (view) => {
    const generation = view.networkGeneration();
    if (known?.generation !== generation) known = { generation, index: indexOf(view.networks()) };
    return known.index;
  };
}

function indexOf(networks: readonly Network[]): NetworkIndex {
  const names = new Set(networks.map(({ name }) => name.toLowerCase()));
  const subnets = networks.flatMap((network): (readonly [Prefix, Network])[] =>
    network.pools.map(({ subnet }) => [parsePrefix(subnet), network]),
  );
  return {
    has: (name) => names.has(name),
    networksAround: (text) => {
      const address = parseAddress(text);
      return subnets.filter(([prefix]) => contains(prefix, address)).map(([, network]) => network);
    },
  };
}
