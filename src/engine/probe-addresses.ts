/**
 * Asking the LAN before a container gets one of its addresses.
 *
 * Addresses are chosen inside one transaction, which waits for nobody: so the endpoint is written first, its addresses are
 * probed, and only then made. An address that somebody has is marked in the ledger, the endpoint is let go of, and the next
 * one is tried. One that was asked for by name is refused.
 */
import { withoutLength } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { LedgerChange } from '../model/ledger.ts';
import type { Endpoint } from '../model/records.ts';
import type { AddressHolder } from '../plan/kernel.ts';
import type { AttachRequest } from './attach.ts';
import { driverOf, type EngineContext } from './context.ts';
import { releaseEndpoint } from './release.ts';

/** How long an address that somebody had is left alone. */
const FOREIGN_MS = 10 * 60_000;
/** Addresses in a row that others have: beyond, something answers for all. */
const MOST_TRIES = 64;

/** Whether nobody has the addresses of these endpoints; if somebody has, the endpoints are released. */
export type AddressProbe = (endpoints: readonly Endpoint[]) => Promise<boolean>;

/** The probe of one attach, with as many tries as it may take. */
export function addressProbe(context: EngineContext, request: AttachRequest): AddressProbe {
  let tries = 0;
  return async (endpoints) => {
    const held = await holdersOf(context, request, endpoints);
    if (held.size === 0) return true;
    tries += 1;
    context.ledger.change((change) => {
      release(context, change, endpoints, held);
    });
    refuse(request, endpoints, held, tries);
    return false;
  };
}

async function holdersOf(
  context: EngineContext,
  { attachments }: AttachRequest,
  endpoints: readonly Endpoint[],
): Promise<ReadonlyMap<string, AddressHolder>> {
  const { kernel, ledger } = context;
  const asked = endpoints.flatMap(({ networkId, addresses, dhcp }) => {
    // Probed before it was accepted, and declined where somebody had it.
    if (dhcp !== undefined) return [];
    const network = attachments.find((attachment) => attachment.network.id === networkId)?.network;
    const link = network && driverOf(context, network).endpointDefaults(network).probeLink;
    return link === undefined ? [] : [kernel.addressHolders(link, addresses.map(bare))];
  });
  if (asked.length === 0) return new Map();
  try {
    return new Map((await Promise.all(asked)).flatMap((found) => [...found]));
  } catch (error) {
    ledger.change((change) => {
      release(context, change, endpoints, new Map());
    });
    throw error;
  }
}

function bare({ address }: { readonly address: string }): string {
  return withoutLength(address);
}

/** Nothing was made yet: what nobody has is free at once. */
function release(
  context: EngineContext,
  change: LedgerChange,
  endpoints: readonly Endpoint[],
  held: ReadonlyMap<string, AddressHolder>,
): void {
  const untilMs = context.now() + FOREIGN_MS;
  for (const endpoint of endpoints) {
    releaseEndpoint(context, change, endpoint);
    for (const address of endpoint.addresses.map(bare)) {
      const mac = held.get(address)?.mac;
      change.releaseAddress(endpoint.networkId, address);
      if (mac !== undefined) {
        change.holdAddress(endpoint.networkId, address, { kind: 'foreign', mac, untilMs }, 'static');
      }
    }
  }
}

/** Throws where another address will not do, or where none will be found. */
function refuse(
  { sandbox, attachments }: AttachRequest,
  endpoints: readonly Endpoint[],
  held: ReadonlyMap<string, AddressHolder>,
  tries: number,
): void {
  for (const { networkId, addresses } of endpoints) {
    const attachment = attachments.find(({ network }) => network.id === networkId);
    for (const address of addresses.map(bare)) {
      const holder = held.get(address);
      if (holder === undefined || attachment === undefined) continue;
      const { network, options } = attachment;
      const act = `connect ${sandbox.name} to ${network.name}`;
      const flag = address.includes(':') ? 'ip6' : 'ip';
      const who = holder.link === undefined ? holder.mac : `this host (${holder.link}, ${holder.mac})`;
      if (options[flag] !== undefined) {
        throw new TsnetError(
          'FORBIDDEN',
          `${act}: address ${address} is in use on the LAN by ${who}; choose another, or leave --${flag} out`,
        );
      }
      if (tries >= MOST_TRIES) {
        throw new TsnetError(
          'EXHAUSTED',
          `${act}: the last ${MOST_TRIES} addresses tried are in use on the LAN, ${address} by ${who}; give the network a free --ip-range, or, if a router answers for all, create it with -o address_probe=false`,
        );
      }
    }
  }
}
