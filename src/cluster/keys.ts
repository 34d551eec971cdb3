/**
 * Where everything is in the store of a cluster. Depth and values are such that etcd and ZooKeeper can both keep them.
 *
 * ```
 * host/HOST              who is alive: goes with the host's session, 15 s after its last sign of life
 * hostreg/HOST           who was ever here, for whoever clears up after a host that never returns
 * hostnet/HOST/NETWORK   this host has endpoints there
 * net/NETWORK            the network's record
 * netname/NAME           → NETWORK: a name is claimed by making its key
 * vni/NUMBER             → NETWORK
 * pool/ADDRESS-LENGTH    → NETWORK
 * ep/NETWORK/ADDRESS     the endpoint that has this address: making the key is claiming the address
 * blk/NETWORK/BLOCK      the host that gives out the addresses of this block, where hosts have blocks
 * name/NETWORK/NAME/HOST-ADDRESS   an endpoint that is called so, by its first address, where hosts have blocks and tell names
 * named/NETWORK/HOST/ADDRESS       all names of that endpoint
 * dkr/NETWORK/HOST       this host's Docker has the network
 * gc/holder              who clears up
 * ```
 */

export const HOSTS = 'host/';
export const REGISTERED_HOSTS = 'hostreg/';
export const NETWORKS = 'net/';
export const GC_HOLDER = 'gc/holder';

export function hostKey(hostId: string): string {
  return `${HOSTS}${hostId}`;
}

export function registrationKey(hostId: string): string {
  return `${REGISTERED_HOSTS}${hostId}`;
}

export function networksOfHost(hostId: string): string {
  return `hostnet/${hostId}/`;
}

export function networkOfHostKey(hostId: string, networkId: string): string {
  return `${networksOfHost(hostId)}${networkId}`;
}

export function networkKey(networkId: string): string {
  return `${NETWORKS}${networkId}`;
}

export function networkNameKey(name: string): string {
  return `netname/${name}`;
}

export function vniKey(vni: number): string {
  return `vni/${vni}`;
}

/** Keys are paths: "10.77.0.0/16" is written with a hyphen. */
export function poolKey(subnet: string): string {
  return `pool/${subnet.replace('/', '-')}`;
}

export function endpointsOf(networkId: string): string {
  return `ep/${networkId}/`;
}

/** @param address "10.77.0.5" */
export function endpointKey(networkId: string, address: string): string {
  return `${endpointsOf(networkId)}${address}`;
}

export function blocksOf(networkId: string): string {
  return `blk/${networkId}/`;
}

/** @param block "10.77.3.0-24" */
export function blockKey(networkId: string, block: string): string {
  return `${blocksOf(networkId)}${block}`;
}

/** Everybody of a network who has a name, in lower case and without dots. */
export function holdersOfName(networkId: string, name: string): string {
  return `name/${networkId}/${name}/`;
}

/** Only its host writes it. `address`: the endpoint's first one. */
export function nameKey(
  networkId: string,
  name: string,
  holder: { readonly host: string; readonly address: string },
): string {
  return `${holdersOfName(networkId, name)}${holder.host}-${holder.address}`;
}

/** The endpoints of a host that have names. */
export function namedBy(networkId: string, hostId: string): string {
  return `named/${networkId}/${hostId}/`;
}

export function namedKey(networkId: string, hostId: string, address: string): string {
  return `${namedBy(networkId, hostId)}${address}`;
}

export function dockersOf(networkId: string): string {
  return `dkr/${networkId}/`;
}

export function dockerKey(networkId: string, hostId: string): string {
  return `${dockersOf(networkId)}${hostId}`;
}

/** What a key is called in its directory: "ep/…/10.77.0.5" → "10.77.0.5". */
export function nameIn(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
