/**
 * What a host keeps for the other hosts of a network: where their containers are, and who may speak to it at all.
 */
import { familyOf, formatAddress, formatPrefix, parseAddress, parsePrefix } from '../../src/model/address.ts';
import { TsnetError } from '../../src/model/error.ts';
import { sha256 } from '../../src/model/sha256.ts';
import type { Network } from '../../src/model/records.ts';
import type { Peer } from '../../src/plan/driver.ts';
import type { Plan, Resource } from '../../src/plan/resource.ts';
import type { OverlaySettings } from './settings.ts';

/** MAC of the VXLAN device of the host with this underlay address: all others know it without being told. */
export function deviceMac(vtep: string): string {
  return ['0a', ...(sha256(vtep).slice(0, 10).match(/../g) ?? [])].join(':');
}

export function overlayPeerPlan(network: Network, settings: OverlaySettings, peer: Peer): Plan {
  const { vtep } = peer;
  if (familyOf(vtep) !== settings.outerFamily) {
    throw wrongPeer(network, `the hosts speak IPv${settings.outerFamily} to each other, and ${vtep} is another family`);
  }
  if (peer.kind === 'endpoint') {
    if (settings.mode === 'block')
      throw wrongPeer(network, 'its hosts have blocks (mode=block), not single containers');
    return endpointPeer(settings, peer);
  }
  if (settings.mode === 'perIp') throw wrongPeer(network, 'its hosts have single containers, not blocks');
  return blocksPeer(settings, peer);
}

function wrongPeer(network: Network, why: string): TsnetError {
  return new TsnetError('INTERNAL', `plan a peer of network ${network.name}: ${why}`);
}

/** The way first, the answer to ARP and ND after it: nobody is told of a MAC that leads nowhere. */
function endpointPeer(
  { device: link }: OverlaySettings,
  { addresses, mac, vtep }: Extract<Peer, { readonly kind: 'endpoint' }>,
): Plan {
  return [
    { kind: 'fdb', link, mac, vtep },
    ...addresses.map((address): Resource => ({ kind: 'neighbour', place: 'host', link, address, mac })),
  ];
}

/**
 * One entry a host, and a route a block, by way of a next hop that is nobody's address: of IPv4 the block's first one, as
 * flannel has it; of IPv6 a link-local one made of the device's MAC.
 */
function blocksPeer(
  { device: link }: OverlaySettings,
  { blocks, vtep }: Extract<Peer, { readonly kind: 'blocks' }>,
): Plan {
  const mac = deviceMac(vtep);
  const hops = blocks.map((block) => {
    const { family, first, ...rest } = parsePrefix(block);
    const destination = formatPrefix({ family, first, ...rest });
    return { family, destination, via: family === 4 ? formatAddress({ family, value: first }) : linkLocalOf(mac) };
  });
  return [
    { kind: 'fdb', link, mac, vtep },
    ...[...new Set(hops.map(({ via }) => via))].map((address): Resource => ({
      kind: 'neighbour',
      place: 'host',
      link,
      address,
      mac,
    })),
    ...hops.map(({ family, destination, via }): Resource => ({
      kind: 'route',
      place: 'host',
      family,
      destination,
      link,
      via,
      ...(family === 4 ? { onLink: true } : {}),
    })),
  ];
}

function linkLocalOf(mac: string): string {
  const { value } = parseAddress('fe80::');
  return formatAddress({ family: 6, value: value | BigInt(`0x${mac.replaceAll(':', '')}`) });
}

export function overlayGuardPlan(_network: Network, settings: OverlaySettings, vteps: readonly string[]): Plan {
  const { outerFamily: family, port, vtep: local } = settings;
  return [
    { kind: 'vtep-guard', family, port, local },
    ...vteps
      .filter((address) => familyOf(address) === family)
      .map((address): Resource => ({ kind: 'vtep', family, port, address })),
  ];
}
