/**
 * One endpoint, its addresses leased: everything about it that is decided inside the transaction, its ports apart.
 */
import { canonicalAddress, familyOf, parseAddress } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import { macFromAddress, parseMac } from '../model/mac.ts';
import { checkAlias, checkLinkName } from '../model/names.ts';
import type { LedgerChange } from '../model/ledger.ts';
import type { Endpoint, EndpointAddress, Family, Network, Pool, Sandbox } from '../model/records.ts';
import { chooseAddress, checkAddress, restedAddresses } from '../ipam/choose-address.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { AttachOptions } from './engine.ts';
import { addressHolder, findEndpoint } from './lookup.ts';

export interface EndpointDraft {
  readonly network: Network;
  readonly sandbox: Sandbox;
  readonly options: AttachOptions;
  /** Links that the sandbox's namespace has. */
  readonly linkNames: readonly string[];
}

/** "veth" and as many digits of the id as a link name (15 bytes) holds: 2^44 names, so 10,000 endpoints do not collide. */
const HOST_LINK_DIGITS = 11;

/** Rested addresses that one attach gives back: more than it takes, so that the quarantine stays small. */
const RELEASED_AT_ONCE = 4;

export function draftEndpoint(context: EngineContext, change: LedgerChange, draft: EndpointDraft): Endpoint {
  const { network, sandbox, options } = draft;
  const act = `connect ${sandbox.name} to ${network.name}`;
  if (findEndpoint(change, network, sandbox) !== undefined) {
    throw new TsnetError('FORBIDDEN', `${act}: it is connected already`);
  }
  const id = randomId();
  const siblings = change.endpointsOfSandbox(sandbox.id);
  const addresses = leaseAddresses(context, change, draft, id);
  const [first] = addresses;
  return {
    version: 1,
    id,
    networkId: network.id,
    sandboxId: sandbox.id,
    interfaceName: interfaceName(context, draft, siblings),
    hostLink: `veth${id.slice(0, HOST_LINK_DIGITS)}`,
    mac:
      options.mac === undefined
        ? macFromAddress((first?.address ?? '0.0.0.0').replace(/\/.*/, ''))
        : parseMac(options.mac),
    addresses,
    aliases: (options.aliases ?? []).map(checkAlias),
    gatewayPriority: options.gatewayPriority ?? 0,
    ordinal: siblings.reduce((highest, { ordinal }) => Math.max(highest, ordinal), -1) + 1,
    ports: [],
    driverOptions: options.driverOptions ?? {},
    createdAt: timestamp(context.now()),
    state: 'attaching',
    owner: context.self,
  };
}

/** The given name, or the driver's prefix with the lowest number that neither the ledger nor the namespace has. */
function interfaceName(context: EngineContext, draft: EndpointDraft, siblings: readonly Endpoint[]): string {
  const { network, sandbox, options, linkNames } = draft;
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
  const { network, options } = draft;
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
      fixed === undefined ? dynamicAddress(context, change, draft, family) : fixedAddress(change, draft, fixed);
    change.holdAddress(
      network.id,
      address,
      { kind: 'endpoint', endpointId },
      fixed === undefined ? 'dynamic' : 'static',
    );
    const gateway = network.internal ? undefined : (pool.route ?? pool.gateway);
    return [{ address: `${address}/${length}`, ...(gateway === undefined ? {} : { gateway }) }];
  });
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
  { network }: EndpointDraft,
  family: Family,
): Leased {
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

function fixedAddress(change: LedgerChange, { network, sandbox }: EndpointDraft, wanted: string): Leased {
  const checked = checkAddress({ network: network.name, pools: network.pools, address: wanted });
  if (change.lease(network.id, checked.address)?.kind === 'endpoint') {
    throw new TsnetError(
      'FORBIDDEN',
      `connect ${sandbox.name} to ${network.name}: address ${checked.address} is held by ${addressHolder(change, network.id, checked.address)}; choose another, or leave --ip out`,
    );
  }
  return checked;
}
