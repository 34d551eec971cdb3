/**
 * Addresses of a network that spans hosts. Making the key of an address is claiming it: one transaction, one round trip, whoever else
 * is at it. Which address is free a host knows from its mirror of the network, so that it rarely has to ask twice.
 */
import type { ClusterStore, StoreExpectation, StoreOperation } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import { macFromAddress } from '../model/mac.ts';
import type { Family, Network } from '../model/records.ts';
import { familyOf } from '../model/address.ts';
import type { ClusterClock } from './clock.ts';
import { freeAddress } from './free-address.ts';
import { endpointKey, nameIn, networkKey, networkOfHostKey } from './keys.ts';
import type { Mirror } from './mirror.ts';
import { parseEndpoint, parseNetwork, type EndpointValue } from './values.ts';

export interface ClaimRequest {
  readonly network: Network;
  readonly sandboxId: string;
  /** For messages. */
  readonly sandboxName: string;
  readonly names: readonly string[];
  /** Canonical; absent: any. */
  readonly ip?: string;
  readonly ip6?: string;
  /** Absent: one address a family that the network has. */
  readonly families?: readonly Family[];
  /** Canonical; absent: the one that follows from the first address. */
  readonly mac?: string;
}

export interface ClaimedAddresses {
  readonly ip?: string;
  readonly ip6?: string;
}

export interface ClaimsOptions {
  readonly store: Pick<ClusterStore, 'get' | 'transact'>;
  readonly self: string;
  /** The endpoints of the network, as far as they are known. */
  readonly mirror: Mirror;
  readonly clock: ClusterClock;
  readonly random: () => number;
  /** How long an address rests that this host gave back. */
  readonly quarantineMs: number;
}

export interface Claims {
  /** @throws TsnetError FORBIDDEN, EXHAUSTED, NOT_FOUND; RUNTIME or TIMEOUT where the store cannot be asked */
  claim(request: ClaimRequest): Promise<ClaimedAddresses>;
  /**
   * Says that the addresses of the request are an endpoint's: those that this host has already, and others as long as nobody has them.
   * @throws as `claim` does
   */
  assign(request: ClaimRequest): Promise<void>;
  /** Gives back what `sandboxId` has of these; what is somebody else's is left. */
  release(networkId: string, sandboxId: string, addresses: readonly string[]): Promise<void>;
  /** Claims whose endpoint may not be on record yet. */
  underWay(): ReadonlySet<string>;
  /** The endpoint of these addresses is on record, or they were given back. */
  settle(addresses: readonly string[]): void;
}

/** A network so contended that this is not enough is full. */
const MOST_TRIES = 64;

export function openClaims({ store, self, mirror, clock, random, quarantineMs }: ClaimsOptions): Claims {
  const resting = new Map<string, number>();
  const underWay = new Set<string>();
  /** Found taken by asking, while the mirror did not know yet. */
  const lost = new Set<string>();

  const isResting = (address: string): boolean => (resting.get(address) ?? 0) > clock.now();

  const choose = ({ network }: ClaimRequest, family: Family): string =>
    freeAddress({
      network,
      family,
      isTaken: (address) =>
        lost.has(address) || underWay.has(address) || mirror.item(endpointKey(network.id, address)) !== undefined,
      isResting,
      random,
    });

  /** One address a family that the network has. */
  const propose = (request: ClaimRequest): string[] => {
    const { network, ip, ip6, families = [4, 6] } = request;
    return families.flatMap((family) => {
      const wanted = family === 4 ? ip : ip6;
      if (wanted !== undefined) return [wanted];
      return network.pools.some(({ subnet }) => familyOf(subnet) === family) ? [choose(request, family)] : [];
    });
  };

  /** @returns the revision of the network's key */
  const activeNetwork = async ({ network, sandboxName }: ClaimRequest): Promise<string> => {
    const item = await store.get(networkKey(network.id));
    if (item !== undefined && parseNetwork(item.value)?.state === 'active') return item.revision;
    throw new TsnetError('NOT_FOUND', `connect ${sandboxName} to ${network.name}: the network is being removed`);
  };

  /** Who has one of the addresses; undefined: nobody, so that something else was in the way. */
  const holder = async (networkId: string, addresses: readonly string[]) => {
    for (const address of addresses) {
      const item = await store.get(endpointKey(networkId, address));
      if (item !== undefined) return { address, item, value: parseEndpoint(item.value) };
    }
    return undefined;
  };

  /** @param held revisions of the keys that this host has already */
  const write = async (
    request: ClaimRequest,
    addresses: readonly string[],
    {
      revision,
      held = new Map<string, string>(),
    }: { readonly revision: string; readonly held?: ReadonlyMap<string, string> },
  ): Promise<boolean> => {
    const { network } = request;
    const keys = addresses.map((address) => endpointKey(network.id, address));
    const text = JSON.stringify(claimValue(request, addresses, self));
    const expect: StoreExpectation[] = [
      { key: networkKey(network.id), revision },
      ...keys.map((key) => {
        const before = held.get(key);
        return before === undefined ? { key } : { key, revision: before };
      }),
    ];
    const operations: StoreOperation[] = [
      ...keys.map((key) => ({ kind: 'put', key, value: text }) as const),
      { kind: 'put', key: networkOfHostKey(self, network.id), value: '{}' },
    ];
    const answer = await store.transact({ expect, operations });
    return answer.ok;
  };

  /** Of each network's key, so that a claim is one round trip. */
  let known: string | undefined;

  const claim = async (request: ClaimRequest): Promise<ClaimedAddresses> => {
    const { network, sandboxName, ip, ip6 } = request;
    const fixed = [ip, ip6].filter((address) => address !== undefined);
    lost.clear();
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const addresses = propose(request);
      for (const address of addresses) underWay.add(address);
      try {
        const revision = (known ??= await activeNetwork(request));
        if (await write(request, addresses, { revision })) {
          return {
            ...pick('ip', addresses, 4),
            ...pick('ip6', addresses, 6),
          };
        }
        const held = await holder(network.id, addresses);
        known = undefined;
        for (const address of addresses) underWay.delete(address);
        if (held === undefined) continue;
        lost.add(held.address);
        if (fixed.includes(held.address)) throw taken(request, held.address, held.value);
      } catch (error) {
        for (const address of addresses) underWay.delete(address);
        throw error;
      }
    }
    throw new TsnetError(
      'EXHAUSTED',
      `connect ${sandboxName} to ${network.name}: every address is taken by others; try again`,
    );
  };

  const assign = async (request: ClaimRequest): Promise<void> => {
    const { network, sandboxName, ip, ip6 } = request;
    const addresses = [ip, ip6].filter((address) => address !== undefined);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const held = new Map<string, string>();
      for (const address of addresses) {
        const item = await store.get(endpointKey(network.id, address));
        if (item === undefined) continue;
        const value = parseEndpoint(item.value);
        if (value?.host !== self) throw taken(request, address, value);
        held.set(item.key, item.revision);
      }
      if (await write(request, addresses, { revision: await activeNetwork(request), held })) return;
    }
    throw new TsnetError(
      'RUNTIME',
      `connect ${sandboxName} to ${network.name}: others change ${addresses.join(', ')} all the time; try again`,
    );
  };

  return {
    claim,
    assign,
    release: async (networkId, sandboxId, addresses) => {
      for (const address of addresses) {
        const key = endpointKey(networkId, address);
        const item = mirror.item(key) ?? (await store.get(key));
        if (item === undefined || !isOurs(item.value, self, sandboxId)) continue;
        const gone = await store.transact({
          expect: [{ key, revision: item.revision }],
          operations: [{ kind: 'delete', key }],
        });
        // The mirror was late: it is ours all the same, or it is not any more.
        if (!gone.ok) {
          const now = await store.get(key);
          if (now !== undefined && isOurs(now.value, self, sandboxId)) {
            await store.transact({ expect: [{ key, revision: now.revision }], operations: [{ kind: 'delete', key }] });
          }
        }
        resting.set(nameIn(key), clock.now() + quarantineMs);
      }
      for (const [address, until] of resting) if (until <= clock.now()) resting.delete(address);
    },
    underWay: () => underWay,
    settle: (addresses) => {
      for (const address of addresses) underWay.delete(address);
    },
  };
}

/** What the keys of a request's addresses say. */
export function claimValue(
  { sandboxId, names, mac }: ClaimRequest,
  addresses: readonly string[],
  host: string,
): EndpointValue {
  return { mac: mac ?? macFromAddress(addresses[0] ?? '0.0.0.0'), host, id: sandboxId, names };
}

function isOurs(value: string, self: string, sandboxId: string): boolean {
  const endpoint = parseEndpoint(value);
  return endpoint?.host === self && endpoint.id === sandboxId;
}

function pick<K extends string>(name: K, addresses: readonly string[], family: Family): Partial<Record<K, string>> {
  const address = addresses.find((one) => familyOf(one) === family);
  return address === undefined ? {} : ({ [name]: address } as Record<K, string>);
}

function taken({ sandboxName, network }: ClaimRequest, address: string, holder: EndpointValue | undefined): TsnetError {
  const who = holder === undefined ? 'somebody' : `${holder.names[0] ?? holder.id.slice(0, 12)} on host ${holder.host}`;
  return new TsnetError(
    'FORBIDDEN',
    `connect ${sandboxName} to ${network.name}: address ${address} is held by ${who}; choose another, or leave --ip out`,
  );
}
