/**
 * Addresses of networks that span hosts: claimed in the cluster's store before the transaction that writes them down here, since
 * nothing waits for a store inside one, and given back where no endpoint on record has them.
 *
 * A daemon that is killed between the two leaves a claim that it finds when it is started again (`daemon/cluster/own-endpoints.ts`).
 */
import { canonicalAddress, withoutLength } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { parseMac } from '../model/mac.ts';
import type { Endpoint, Network } from '../model/records.ts';
import type { Attachment, AttachRequest } from './attach.ts';
import { isClustered, requiredCluster, type Claim, type ClaimRequest } from './cluster.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { AttachOptions } from './engine.ts';
import { checkAddress } from '../ipam/choose-address.ts';
import { realize } from './realize.ts';

/** Who has the addresses in the store that Docker's IPAM was given, until an endpoint has them. */
export const DOCKER_HOLDER = 'docker';

interface Held {
  readonly network: Network;
  readonly addresses: readonly string[];
  readonly claim: Claim;
}

/** Runs `work` with a request whose addresses are settled where the hosts of a cluster share them. */
export async function withClusterAddresses<T>(
  context: EngineContext,
  request: AttachRequest,
  work: (request: AttachRequest) => Promise<T>,
): Promise<T> {
  const shared = request.attachments.filter(({ network }) => isClustered(driverOf(context, network)));
  if (shared.length === 0) return work(request);
  const cluster = requiredCluster(
    context,
    `connect ${request.sandbox.name} to ${shared.map(({ network }) => network.name).join(', ')}`,
  );
  if (request.dryRun === true) return work(request);
  const held: Held[] = [];
  try {
    // The way to the others has to be there before they can be put on it.
    await realize(
      context,
      shared.map(({ network }) => network),
    );
    const attachments: Attachment[] = [];
    for (const attachment of request.attachments) {
      attachments.push(shared.includes(attachment) ? await settle(context, request, attachment, held) : attachment);
    }
    const answer = await work({ ...request, attachments });
    await Promise.all(held.map(({ claim }) => claim.heard));
    return answer;
  } catch (error) {
    for (const { network, addresses } of held) {
      const free = addresses.filter((address) => !isOnRecord(context, network, address));
      await cluster.release(network, request.sandbox.id, free);
    }
    throw error;
  } finally {
    for (const { network, addresses } of held) cluster.settle(network, addresses);
  }
}

/** Gives the addresses of an endpoint back to the cluster. Without a daemon that waits until there is one. */
export async function releaseClaims(context: EngineContext, network: Network, endpoint: Endpoint): Promise<void> {
  const addresses = endpoint.addresses.map(({ address }) => withoutLength(address));
  if (isClustered(driverOf(context, network))) {
    await context.cluster?.release(network, endpoint.sandboxId, addresses);
  }
}

async function settle(
  context: EngineContext,
  { sandbox }: AttachRequest,
  { network, options }: Attachment,
  held: Held[],
): Promise<Attachment> {
  const cluster = requiredCluster(context, `connect ${sandbox.name} to ${network.name}`);
  const request: ClaimRequest = {
    network,
    sandboxId: sandbox.id,
    sandboxName: sandbox.name,
    names: namesOf(sandbox, options.aliases ?? []),
    ...fixed('ip', network, options),
    ...fixed('ip6', network, options),
    ...(options.mac === undefined ? {} : { mac: parseMac(options.mac) }),
  };
  const claim = await claimed(request, cluster.claim(request));
  const { ip, ip6 } = claim;
  const addresses = [ip, ip6].filter((address) => address !== undefined);
  held.push({ network, addresses, claim });
  const settled: AttachOptions = {
    ...options,
    ...(ip === undefined ? {} : { ip }),
    ...(ip6 === undefined ? {} : { ip6 }),
  };
  return { network, options: settled };
}

/** What comes of a claim; where it fails, the reason says what still works. */
export async function claimed<T>(request: ClaimRequest, claiming: Promise<T>): Promise<T> {
  try {
    return await claiming;
  } catch (error) {
    throw unclaimed(request, error);
  }
}

/** A store that does not answer is no fault of the network's: who reads it should know what still works. */
function unclaimed({ sandboxName, network }: ClaimRequest, error: unknown): unknown {
  if (!(error instanceof TsnetError) || (error.code !== 'RUNTIME' && error.code !== 'TIMEOUT')) return error;
  return new TsnetError(
    error.code,
    `connect ${sandboxName} to ${network.name}: ${error.message}; running containers are not affected`,
    { cause: error },
  );
}

/** What an endpoint answers to, as the name service has it. */
export function namesOf(sandbox: { readonly id: string; readonly name: string }, aliases: readonly string[]): string[] {
  return [...new Set([sandbox.name, sandbox.id.slice(0, 12), ...aliases].map((name) => name.toLowerCase()))];
}

/** An address that was asked for by name, if it can be had at all. */
function fixed<K extends 'ip' | 'ip6'>(
  key: K,
  { name, pools }: Network,
  options: AttachOptions,
): Partial<Record<K, string>> {
  const wanted = options[key];
  if (wanted === undefined || wanted === '') return {};
  const { address } = checkAddress({ network: name, pools, address: canonicalAddress(wanted) });
  return { [key]: address } as Record<K, string>;
}

function isOnRecord({ ledger }: EngineContext, network: Network, address: string): boolean {
  return ledger.read((view) => view.lease(network.id, address)?.kind === 'endpoint');
}
