/**
 * One lease of a DHCP server: taken if nobody on the LAN has its address, given back.
 */
import { acquire, decline, discover, release, type Wish } from '../dhcp/conversation.ts';
import { grantIn, subnetOf, type Grant } from '../dhcp/grant.ts';
import type { Talk } from '../dhcp/question.ts';
import { withoutLength } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Endpoint, Network } from '../model/records.ts';
import { driverOf, type EngineContext } from './context.ts';
import { withTalk } from './dhcp-network.ts';

/** Addresses in a row that others on the LAN have: beyond, the server and the LAN do not belong together. */
const MOST_DECLINED = 3;

/**
 * An address that the server gives and nobody has. One that somebody has is declined, and another asked for.
 * @throws TsnetError as `acquire`, EXHAUSTED or FORBIDDEN where somebody has what the server gives
 */
export async function takeLease(
  context: EngineContext,
  network: Network,
  talk: Talk,
  wish: Wish | undefined,
): Promise<Grant> {
  for (let declined = 1; ; declined += 1) {
    const grant = await acquire(talk, wish);
    try {
      checkSubnet(network, grant);
      const holder = await otherHolder(context, network, grant.address, talk.client.mac);
      if (holder === undefined) return grant;
      decline(talk, grant);
      const what = `DHCP server ${grant.lease.server} gives ${grant.address}, which is in use on the LAN by ${holder}`;
      if (wish?.isFixed === true) throw new TsnetError('FORBIDDEN', `${what}; choose another, or leave --ip out`);
      if (declined >= MOST_DECLINED) {
        throw new TsnetError('EXHAUSTED', `${what}, as were those before; keep that server to addresses that are free`);
      }
    } catch (error) {
      // Refused by us, not found in use: the server may have it back.
      if (!(error instanceof TsnetError) || (error.code !== 'FORBIDDEN' && error.code !== 'EXHAUSTED')) {
        release(talk, grant.address, grant.lease);
      }
      throw error;
    }
  }
}

/** What a server would give, for `--dry-run`. */
export async function offeredLease(network: Network, talk: Talk, wish: Wish | undefined): Promise<Grant> {
  const { message, serverMac } = await discover(talk, wish);
  const grant = grantIn(message, { clientId: talk.client.clientId, serverMac, askedAtMs: talk.now() });
  checkSubnet(network, grant);
  return grant;
}

/** @throws TsnetError INVALID for an address outside the subnet that the administrator named */
function checkSubnet({ pools }: Network, grant: Grant): void {
  const subnet = subnetOf(grant);
  const [expected] = pools;
  if (expected === undefined || expected.subnet === subnet) return;
  throw new TsnetError(
    'INVALID',
    `DHCP server ${grant.lease.server} gives ${grant.address} in ${subnet}, and the network's --subnet is ${expected.subnet}; mend one of them`,
  );
}

/** Who else on the LAN has the address, where the network wants to know. */
async function otherHolder(
  context: EngineContext,
  network: Network,
  address: string,
  own: string,
): Promise<string | undefined> {
  const { probeLink } = driverOf(context, network).endpointDefaults(network);
  if (probeLink === undefined) return undefined;
  const holder = (await context.kernel.addressHolders(probeLink, [address])).get(address);
  if (holder === undefined || holder.mac === own) return undefined;
  return holder.link === undefined ? holder.mac : `this host (${holder.link}, ${holder.mac})`;
}

/**
 * Gives the lease of an endpoint back. Nobody answers that, so a dead server costs no time; its lease ends by itself.
 * @throws TsnetError where nothing can be sent
 */
export async function releaseLease(context: EngineContext, network: Network, endpoint: Endpoint): Promise<void> {
  const { dhcp, mac } = endpoint;
  const [address] = endpoint.addresses.filter((one) => !one.address.includes(':'));
  if (dhcp === undefined || address === undefined) return;
  await withTalk(context, network, { mac, clientId: dhcp.clientId }, (talk) => {
    release(talk, withoutLength(address.address), dhcp);
  });
}
