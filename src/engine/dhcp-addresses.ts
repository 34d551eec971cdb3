/**
 * Addresses that a DHCP server gives: asked for before the transaction that writes them down, since nothing waits for a server
 * inside one, and given back where no endpoint on record has them.
 *
 * A tsnet that is killed between the two leaves a lease at the server. The same container asks with the same client identifier
 * again and gets the same address; nobody else does before it expires.
 */
import { release, type Wish } from '../dhcp/conversation.ts';
import type { Grant } from '../dhcp/grant.ts';
import { canonicalAddress } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { parseMac } from '../model/mac.ts';
import type { Network } from '../model/records.ts';
import type { Attachment, AttachRequest } from './attach.ts';
import type { EngineContext } from './context.ts';
import { offeredLease, takeLease } from './dhcp-lease.ts';
import { isDhcp, newClient, withTalk } from './dhcp-network.ts';
import { realize } from './realize.ts';
import { attempt, failure } from './undo.ts';

/** What a container was given on a network before it is there. */
interface Given {
  readonly network: Network;
  readonly mac: string;
  readonly grant: Grant;
}

/** Runs `work` with a request whose addresses are settled where a DHCP server gives them. */
export async function withDhcpAddresses<T>(
  context: EngineContext,
  request: AttachRequest,
  work: (request: AttachRequest) => Promise<T>,
): Promise<T> {
  if (!request.attachments.some(({ network }) => isDhcp(network))) return work(request);
  const given: Given[] = [];
  try {
    const attachments: Attachment[] = [];
    for (const attachment of request.attachments) {
      try {
        attachments.push(await settle(context, request, attachment, given));
      } catch (error) {
        throw failure(`connect ${request.sandbox.name} to ${attachment.network.name}`, error, []);
      }
    }
    return await work({ ...request, attachments });
  } catch (error) {
    // Where that fails too, the lease ends by itself.
    await attempt(() => giveBack(context, given));
    throw error;
  }
}

async function settle(
  context: EngineContext,
  { sandbox, dryRun = false }: AttachRequest,
  attachment: Attachment,
  given: Given[],
): Promise<Attachment> {
  const { network, options } = attachment;
  if (!isDhcp(network)) return attachment;
  if (options.ip6 !== undefined && options.ip6 !== '') {
    throw new TsnetError('INVALID', `--ip6 ${options.ip6}: its DHCP server gives IPv4 addresses only`);
  }
  const asked = options.mac === undefined ? undefined : parseMac(options.mac);
  const wish = wishFor(options.ip);
  // The parent may be ours to make.
  if (!dryRun) await realize(context, [network]);
  const client = newClient(context, network, sandbox.name, asked);
  const { mac } = client;
  return withTalk(context, network, client, async (talk) => {
    const grant = dryRun ? await offeredLease(network, talk, wish) : await takeLease(context, network, talk, wish);
    if (!dryRun) given.push({ network, mac, grant });
    return { network, options: { ...options, mac }, grant };
  });
}

function wishFor(ip: string | undefined): Wish | undefined {
  if (ip === undefined || ip === '') return undefined;
  if (ip.includes(':')) throw new TsnetError('INVALID', `--ip ${ip}: expected an IPv4 address`);
  return { address: canonicalAddress(ip), isFixed: true };
}

/** Unless an endpoint on record has them: what could not be undone gives them back itself, when it can be. */
async function giveBack(context: EngineContext, given: readonly Given[]): Promise<void> {
  for (const { network, mac, grant } of given) {
    const { address, lease } = grant;
    const isHeld = context.ledger.read((view) => view.lease(network.id, address)?.kind === 'endpoint');
    if (isHeld) continue;
    await withTalk(context, network, { mac, clientId: lease.clientId }, (talk) => {
      release(talk, address, lease);
    });
  }
}
