/**
 * A client's half of DHCP (RFC 2131, 4.4), one conversation at a time:
 *
 *     acquire   DISCOVER ⇒ OFFER, REQUEST ⇒ ACK        from nothing; all broadcast
 *     renew     REQUEST → ACK                          from T1, to the server alone
 *     rebind    REQUEST ⇒ ACK                          from T2, to any server
 *     decline   DECLINE ⇒                              somebody has the address already
 *     release   RELEASE →                              not needed any more; nobody answers
 *
 * All of it happens on the parent link, in the name and with the MAC of the container, whose own link need not be there yet. So
 * answers are asked for as broadcasts; those to a renewal come to the container's address and MAC, which the segment hears too.
 */
import { TsnetError } from '../model/error.ts';
import type { DhcpLease } from '../model/records.ts';
import { addressesIn, grantIn, textIn, type Grant } from './grant.ts';
import { EVERYBODY, ipv4Bytes, NO_ADDRESS } from './ipv4.ts';
import { OPTION, type DhcpMessage } from './message.ts';
import { converse, encoded, newXid, type Talk } from './question.ts';
import { EVERY_MAC, type Envelope } from './segment.ts';

export interface Wish {
  readonly address: string;
  /** Another address will not do. */
  readonly isFixed: boolean;
}

export interface Offer {
  readonly address: string;
  readonly server: string;
  readonly message: DhcpMessage;
  readonly serverMac: string;
}

/** How long other servers may still answer when one has offered another address than the one asked for. */
const BETTER_OFFER_MS = 1_000;
/** Servers that take an offer back when it is accepted, in a row. */
const MOST_REFUSALS = 3;
const BROADCAST: Envelope = { from: NO_ADDRESS, to: EVERYBODY, toMac: EVERY_MAC };

/**
 * An address from any server.
 * @throws TsnetError TIMEOUT when nobody answers, FORBIDDEN when nobody gives a fixed one, DRIVER for an answer without sense
 */
export async function acquire(talk: Talk, wish?: Wish): Promise<Grant> {
  const end = talk.ticks() + talk.timeoutMs;
  let refusal = '';
  for (let tries = 0; tries < MOST_REFUSALS; tries += 1) {
    const offer = await discover(talk, wish, end);
    const xid = offer.message.xid;
    const options = new Map([
      [OPTION.requestedAddress, ipv4Bytes(offer.address)],
      [OPTION.server, ipv4Bytes(offer.server)],
    ]);
    const request = { type: 'request', xid, broadcast: true, options } as const;
    const answer = await converse(talk, { request, envelope: BROADCAST, end }, ({ message }) => {
      // Another server may answer with what it would give.
      if (addressesIn(message, OPTION.server)[0] !== offer.server) return undefined;
      const isGiven = message.type === 'ack' && message.yourAddress === offer.address;
      return isGiven || message.type === 'nak' ? message : undefined;
    });
    if (answer === undefined)
      throw silence(talk, `DHCP server ${offer.server} offered ${offer.address}, and then nobody`);
    const { found, fromMac, askedAtMs } = answer;
    if (found.type === 'ack') {
      return grantIn(found, {
        clientId: talk.client.clientId,
        serverMac: fromMac,
        askedAtMs,
        isFixed: wish?.isFixed === true,
      });
    }
    refusal = `DHCP server ${offer.server} offered ${offer.address} and then refused it${told(found)}`;
  }
  throw new TsnetError('FORBIDDEN', refusal);
}

/** What a server would give. An offer binds nobody. */
export async function discover(talk: Talk, wish?: Wish, end = talk.ticks() + talk.timeoutMs): Promise<Offer> {
  const options = wish === undefined ? [] : [[OPTION.requestedAddress, ipv4Bytes(wish.address)] as const];
  const request = { type: 'discover', xid: newXid(), broadcast: true, options: new Map(options) } as const;
  const others: Offer[] = [];
  let patience = end;
  const answer = await converse(talk, { request, envelope: BROADCAST, end: () => patience }, ({ message, fromMac }) => {
    const server = addressesIn(message, OPTION.server)[0];
    if (message.type !== 'offer' || server === undefined) return undefined;
    const offer = { address: message.yourAddress, server, message, serverMac: fromMac };
    if (wish?.isFixed !== true || offer.address === wish.address) return offer;
    others.push(offer);
    patience = Math.min(patience, talk.ticks() + BETTER_OFFER_MS);
    return undefined;
  });
  if (answer !== undefined) return answer.found;
  const [other] = others;
  if (wish === undefined || other === undefined) throw silence(talk, 'no DHCP server');
  const { mac, clientId } = talk.client;
  throw new TsnetError(
    'FORBIDDEN',
    `DHCP server ${other.server} gives ${other.address} instead of ${wish.address}; reserve that there for MAC ${mac} or client id ${clientId.match(/../g)?.join(':') ?? ''}, or leave --ip out`,
  );
}

/**
 * Asks for more time: the server that gave the lease, or in the second form any. Undefined when nobody answers, `refused` when
 * the address must not be used any more.
 */
export async function extend(
  talk: Talk,
  address: string,
  lease: DhcpLease,
  whom: 'server' | 'anybody',
): Promise<Grant | 'refused' | undefined> {
  const request = {
    type: 'request',
    xid: newXid(),
    broadcast: false,
    clientAddress: address,
    options: new Map(),
  } as const;
  const envelope =
    whom === 'server'
      ? { from: address, to: lease.server, toMac: lease.serverMac }
      : { from: address, to: EVERYBODY, toMac: EVERY_MAC };
  const end = talk.ticks() + talk.timeoutMs;
  const answer = await converse(talk, { request, envelope, end }, ({ message }) =>
    message.type === 'nak' || (message.type === 'ack' && message.yourAddress === address) ? message : undefined,
  );
  if (answer === undefined) return undefined;
  const { found, fromMac, askedAtMs } = answer;
  if (found.type === 'nak') return 'refused';
  const { clientId, isFixed = false } = lease;
  return grantIn(found, { clientId, serverMac: fromMac, askedAtMs, isFixed });
}

/** Tells the server that somebody has the address that it gave; it will not give it again for a while. */
export function decline({ segment, client }: Pick<Talk, 'segment' | 'client'>, grant: Grant): void {
  const options = new Map([
    [OPTION.requestedAddress, ipv4Bytes(grant.address)],
    [OPTION.server, ipv4Bytes(grant.lease.server)],
    [OPTION.message, Buffer.from('somebody answers for this address')],
  ]);
  segment.send(encoded(client, { type: 'decline', xid: newXid(), broadcast: false, options }, 0), BROADCAST);
}

/** Gives an address back. Nobody answers; one that gets lost is free when the lease expires. */
export function release(
  { segment, client }: Pick<Talk, 'segment' | 'client'>,
  address: string,
  { server, serverMac }: DhcpLease,
): void {
  const options = new Map([[OPTION.server, ipv4Bytes(server)]]);
  const message = { type: 'release', xid: newXid(), broadcast: false, clientAddress: address, options } as const;
  segment.send(encoded(client, message, 0), { from: address, to: server, toMac: serverMac });
}

function silence({ timeoutMs }: Talk, who: string): TsnetError {
  return new TsnetError(
    'TIMEOUT',
    `${who} answered within ${Math.round(timeoutMs / 1000)} s; look whether one runs on that LAN, or wait longer with --ipam-opt timeout=SECONDS at \`tsnet create\``,
  );
}

function told(nak: DhcpMessage): string {
  const text = textIn(nak, OPTION.message);
  return text === undefined ? '' : ` ("${text}")`;
}
