/**
 * Addresses that a Docker IPAM plugin gives: asked for before the transaction that writes them down, since nothing waits for a
 * plugin inside one, and given back where no endpoint on record has them.
 *
 * A tsnet that is killed between the two leaves an address in the plugin that nobody uses; the protocol has no way to ask which.
 */
import { contains, familyOf, parseAddress, parsePrefix, withoutLength } from '../model/address.ts';
import { randomId } from '../model/ids.ts';
import type { Endpoint, Family, Network, Pool } from '../model/records.ts';
import { MAC_OPTION, type IpamPlugin } from '../plan/ipam-plugin.ts';
import type { Attachment, AttachRequest } from './attach.ts';
import type { EngineContext } from './context.ts';
import type { AttachOptions } from './engine.ts';
import { requiredPlugin, tolerantly } from './remote-pools.ts';
import { attempt, failure } from './undo.ts';

interface Given {
  readonly network: Network;
  readonly plugin: IpamPlugin;
  readonly poolId: string;
  readonly address: string;
}

/** Runs `work` with a request whose addresses are settled where a plugin gives them. */
export async function withRemoteAddresses<T>(
  context: EngineContext,
  request: AttachRequest,
  work: (request: AttachRequest) => Promise<T>,
): Promise<T> {
  if (request.attachments.every(({ network }) => network.poolIds === undefined)) return work(request);
  const given: Given[] = [];
  try {
    const attachments: Attachment[] = [];
    for (const attachment of request.attachments) {
      try {
        attachments.push(await settle(context, attachment, given));
      } catch (error) {
        throw failure(`connect ${request.sandbox.name} to ${attachment.network.name}`, error, []);
      }
    }
    return await work({ ...request, attachments });
  } catch (error) {
    // Where that fails too, it is for the same reason, which is told.
    await attempt(() => giveBack(context, given));
    throw error;
  } finally {
    if (request.dryRun === true) await giveBack(context, given);
  }
}

/** Gives the addresses of an endpoint back to the IPAM plugin of its network. */
export async function releaseAddresses(context: EngineContext, network: Network, endpoint: Endpoint): Promise<void> {
  if (network.poolIds === undefined || endpoint.addresses.length === 0) return;
  const plugin = requiredPlugin(context, network);
  for (const { address } of endpoint.addresses) {
    const bare = withoutLength(address);
    const poolId = poolOf(network, familyOf(bare), bare)?.poolId;
    if (poolId !== undefined) await tolerantly(() => plugin.releaseAddress(poolId, bare));
  }
}

async function settle(context: EngineContext, attachment: Attachment, given: Given[]): Promise<Attachment> {
  const { network, options } = attachment;
  if (network.poolIds === undefined) return attachment;
  const plugin = requiredPlugin(context, network);
  const mac = options.mac ?? ((await plugin.requiresMac()) ? randomMac() : undefined);
  const ask = async (family: Family, wanted: string | undefined): Promise<string | undefined> => {
    const pool = poolOf(network, family, wanted);
    if (pool === undefined) return wanted;
    const { poolId } = pool;
    const wish = { poolId, options: mac === undefined ? {} : { [MAC_OPTION]: mac } };
    const address = await plugin.requestAddress(wanted === undefined ? wish : { ...wish, address: wanted });
    given.push({ network, plugin, poolId, address });
    return address;
  };
  const [ip, ip6] = [await ask(4, options.ip), await ask(6, options.ip6)];
  const settled: AttachOptions = {
    ...options,
    ...(ip === undefined ? {} : { ip }),
    ...(ip6 === undefined ? {} : { ip6 }),
    ...(mac === undefined ? {} : { mac }),
  };
  return { network, options: settled };
}

/** The pool of an address; of none, the first of its family. */
function poolOf(
  { pools, poolIds = {} }: Network,
  family: Family,
  address: string | undefined,
): { readonly poolId: string } | undefined {
  const of = pools.filter(({ subnet }) => familyOf(subnet) === family);
  const pool: Pool | undefined = (address === undefined ? undefined : of.find((one) => holds(one, address))) ?? of[0];
  const poolId = pool === undefined ? undefined : poolIds[pool.subnet];
  return poolId === undefined ? undefined : { poolId };
}

function holds({ subnet }: Pool, address: string): boolean {
  return contains(parsePrefix(subnet), parseAddress(address));
}

/** Unless an endpoint on record has them: what could not be undone gives them back itself, when it can be. */
async function giveBack({ ledger }: EngineContext, given: readonly Given[]): Promise<void> {
  for (const { network, plugin, poolId, address } of given) {
    const isHeld = ledger.read((view) => view.lease(network.id, address)?.kind === 'endpoint');
    if (!isHeld) await tolerantly(() => plugin.releaseAddress(poolId, address));
  }
}

/** Locally administered, as those that follow from an address. */
function randomMac(): string {
  return ['02', '42', ...(randomId().slice(0, 8).match(/../g) ?? [])].join(':');
}
