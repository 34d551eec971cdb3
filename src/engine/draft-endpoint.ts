/**
 * One endpoint, its addresses leased: everything about it that is decided inside the transaction, its ports apart.
 */
import { canonicalAddress, familyOf, networkOf, parseAddress } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import { macFromAddress, parseMac } from '../model/mac.ts';
import { checkAlias, checkLinkName } from '../model/names.ts';
import type { Grant } from '../dhcp/grant.ts';
import type { LedgerChange, LedgerView } from '../model/ledger.ts';
import {
  DOCKER_IPAM,
  type Endpoint,
  type EndpointAddress,
  type Family,
  type Network,
  type Pool,
  type Sandbox,
  type StaticRoute,
} from '../model/records.ts';
import { chooseAddress, checkAddress, restedAddresses } from '../ipam/choose-address.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { AttachOptions } from './engine.ts';
import { addressHolder } from './lookup.ts';
import { refuseNeighbours } from './shared-lan.ts';

export interface EndpointDraft {
  readonly network: Network;
  readonly sandbox: Sandbox;
  readonly options: AttachOptions;
  /** What a DHCP server gave it, where one gives the addresses. */
  readonly grant?: Grant | undefined;
  /** Links that the sandbox's namespace has. */
  readonly linkNames: readonly string[];
  /** The endpoints that the sandbox has. */
  readonly siblings: readonly Endpoint[];
}

/** "veth" and as many digits of the id as a link name (15 bytes) holds: 2^44 names, so 10,000 endpoints do not collide. */
export const HOST_LINK_DIGITS = 11;

/** Rested addresses that one attach gives back: more than it takes, so that the quarantine stays small. */
export const RELEASED_AT_ONCE = 4;

export function draftEndpoint(context: EngineContext, change: LedgerChange, draft: EndpointDraft): Endpoint {
  const { network, sandbox, options, siblings } = draft;
  if (siblings.some(({ networkId }) => networkId === network.id)) {
    throw new TsnetError('FORBIDDEN', `connect ${sandbox.name} to ${network.name}: it is connected already`);
  }
  const id = randomId();
  const addresses = leaseAddresses(context, change, draft, id);
  const [first] = addresses;
  return {
    version: 1,
    id,
    networkId: network.id,
    sandboxId: sandbox.id,
    interfaceName: interfaceName(context, draft),
    hostLink: `veth${id.slice(0, HOST_LINK_DIGITS)}`,
    mac: macAddress(context, draft, first?.address),
    addresses,
    ...(draft.grant === undefined ? {} : { dhcp: draft.grant.lease }),
    aliases: (options.aliases ?? []).map(checkAlias),
    gatewayPriority: options.gatewayPriority ?? 0,
    ...(options.noDefaultRoute === true ? { noDefaultRoute: true } : {}),
    ...(options.routes === undefined || options.routes.length === 0
      ? {}
      : { routes: checkRoutes(draft, options.routes) }),
    ordinal: siblings.reduce((highest, { ordinal }) => Math.max(highest, ordinal), -1) + 1,
    ports: [],
    driverOptions: options.driverOptions ?? {},
    ...(options.runtimeHoldsPorts === true ? { runtimeHoldsPorts: true } : {}),
    ...(options.bandwidth === undefined ? {} : { bandwidth: options.bandwidth }),
    createdAt: timestamp(context.now()),
    state: 'attaching',
    owner: context.self,
  };
}

function checkRoutes({ network, sandbox }: EndpointDraft, routes: readonly StaticRoute[]): StaticRoute[] {
  return routes.map(({ destination, gateway, metric }) => {
    if (familyOf(destination) !== familyOf(gateway)) {
      throw new TsnetError(
        'INVALID',
        `connect ${sandbox.name} to ${network.name}: route ${destination} via ${gateway}: the two are of different families`,
      );
    }
    return {
      destination: networkOf(destination),
      gateway: canonicalAddress(gateway),
      // 0 is what the kernel takes for none.
      ...(metric === undefined || metric === 0 ? {} : { metric }),
    };
  });
}

/** The given MAC, or the one that follows from the address; "" where the container has that of the parent link. */
function macAddress(context: EngineContext, draft: EndpointDraft, address = '0.0.0.0/0'): string {
  const { network, sandbox, options } = draft;
  const { refusesMac } = driverOf(context, network).endpointDefaults(network);
  if (refusesMac === undefined) {
    return options.mac === undefined ? macFromAddress(address.replace(/\/.*/, '')) : parseMac(options.mac);
  }
  if (options.mac === undefined) return '';
  throw new TsnetError('INVALID', `connect ${sandbox.name} to ${network.name}: a MAC cannot be given: ${refusesMac}`);
}

/** The given name, or the driver's prefix with the lowest number that neither the ledger nor the namespace has. */
function interfaceName(context: EngineContext, draft: EndpointDraft): string {
  const { network, sandbox, options, linkNames, siblings } = draft;
  const taken = new Set([...linkNames, ...siblings.map((sibling) => sibling.interfaceName)]);
  if (options.interfaceName !== undefined) {
    const name = checkLinkName(options.interfaceName);
    if (!taken.has(name)) return name;
    throw new TsnetError(
      'FORBIDDEN',
      `connect ${sandbox.name} to ${network.name}: it has an interface ${name} already`,
    );
  }
  const { interfacePrefix } = driverOf(context, network).endpointDefaults(network);
  let number = 0;
  while (taken.has(`${interfacePrefix}${number}`)) number += 1;
  return `${interfacePrefix}${number}`;
}

function leaseAddresses(
  context: EngineContext,
  change: LedgerChange,
  draft: EndpointDraft,
  endpointId: string,
): EndpointAddress[] {
  const { network, options, grant } = draft;
  if (grant !== undefined) {
    const { address } = grant;
    refuseHeld(change, { network, sandbox: draft.sandbox.name, address });
    change.holdAddress(network.id, address, { kind: 'endpoint', endpointId }, 'static');
    return [grantedAddress(network, grant)];
  }
  const wanted: Readonly<Record<Family, string | undefined>> = {
    4: checkFamily(options.ip, 4, '--ip'),
    6: checkFamily(options.ip6, 6, '--ip6'),
  };
  return ([4, 6] as const).flatMap((family): EndpointAddress[] => {
    const fixed = wanted[family];
    const has = network.pools.some(({ subnet }) => familyOf(subnet) === family);
    if (!has && fixed === undefined) return [];
    if (!has) {
      throw new TsnetError(
        'INVALID',
        `connect ${draft.sandbox.name} to ${network.name}: it has no IPv${family} subnet for ${fixed ?? ''}`,
      );
    }
    const { address, length, pool } =
      fixed === undefined
        ? dynamicAddress(context, change, draft, family)
        : fixedAddress(context, change, draft, fixed);
    change.holdAddress(
      network.id,
      address,
      { kind: 'endpoint', endpointId },
      fixed === undefined ? 'dynamic' : 'static',
    );
    return [{ address: `${address}/${length}`, ...nextHop(context, network, pool) }];
  });
}

/** The address that a DHCP server gave, as the endpoint has it. */
export function grantedAddress({ internal }: Network, { address, length, gateway }: Grant): EndpointAddress {
  return { address: `${address}/${length}`, ...(gateway === undefined || internal ? {} : { gateway }) };
}

/** Where what leaves the subnet goes: nowhere from an internal network. */
export function nextHop(
  context: EngineContext,
  network: Network,
  pool: Pool,
): Pick<EndpointAddress, 'gateway' | 'onLink'> {
  if (network.internal) return {};
  if (driverOf(context, network).endpointDefaults(network).defaultRoute === 'link') return { onLink: true };
  const gateway = pool.route ?? pool.gateway;
  return gateway === undefined ? {} : { gateway };
}

function checkFamily(text: string | undefined, family: Family, flag: string): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (parseAddress(text).family !== family) {
    throw new TsnetError(
      'INVALID',
      `${flag} ${text}: expected an IPv${family} address; use ${family === 4 ? '--ip6' : '--ip'} for the other family`,
    );
  }
  return canonicalAddress(text);
}

interface Leased {
  readonly address: string;
  readonly length: number;
  readonly pool: Pool;
}

function dynamicAddress(
  context: EngineContext,
  change: LedgerChange,
  { network, sandbox }: EndpointDraft,
  family: Family,
): Leased {
  if (network.ipamDriver === DOCKER_IPAM) {
    throw new TsnetError(
      'FORBIDDEN',
      `connect ${sandbox.name} to ${network.name}: Docker's own IPAM gives its addresses; name one with ${family === 4 ? '--ip' : '--ip6'}, or have Docker create the network with --ipam-driver tsnet`,
    );
  }
  const leases = change.leasesFor(network.id, family);
  for (const rested of restedAddresses({ leases, family, nowMs: context.now(), atMost: RELEASED_AT_ONCE })) {
    change.releaseAddress(network.id, rested);
  }
  return chooseAddress({
    network: network.name,
    pools: network.pools,
    family,
    leases: change.leasesFor(network.id, family),
  });
}

function fixedAddress(
  context: EngineContext,
  change: LedgerChange,
  { network, sandbox }: EndpointDraft,
  wanted: string,
): Leased {
  const checked = checkAddress({ network: network.name, pools: network.pools, address: wanted });
  const held = { network, sandbox: sandbox.name, address: checked.address };
  refuseHeld(change, held);
  refuseNeighbours(context, change, held);
  return checked;
}

/** @throws TsnetError FORBIDDEN where another endpoint of the network, or Docker's IPAM, has the address */
export function refuseHeld(
  view: LedgerView,
  { network, sandbox, address }: { readonly network: Network; readonly sandbox: string; readonly address: string },
): void {
  const holder = view.lease(network.id, address)?.kind;
  if (holder !== 'endpoint' && holder !== 'docker') return;
  throw new TsnetError(
    'FORBIDDEN',
    `connect ${sandbox} to ${network.name}: address ${address} is held by ${addressHolder(view, network.id, address)}; choose another, or leave --ip out`,
  );
}
