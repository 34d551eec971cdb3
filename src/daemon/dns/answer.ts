/**
 * What becomes of one question: an answer from the ledger, one from outside, or a refusal.
 */
import type { Ledger, LedgerView } from '../../model/ledger.ts';
import type { Family, Network, Sandbox } from '../../model/records.ts';
import type { Allowance } from './allowance.ts';
import type { Forwarded, Forwarder, Upstreams } from './forwarder.ts';
import { openLedgerMemo } from './ledger-memo.ts';
import { bareAnswer, localAnswer } from './local-answer.ts';
import {
  CLASS_IN,
  emptyAnswer,
  FLAG,
  HEADER_BYTES,
  isTruncated,
  RCODE,
  rcodeOf,
  readQuery,
  roomFor,
  TYPE,
  type Query,
} from './message.ts';
import {
  askerOf,
  candidates,
  lookUpAddress,
  lookUpName,
  type Asker,
  type NetworkIndex,
  type OwnName,
} from './own-names.ts';
import { addressOfReverseName } from './reverse-name.ts';
import type { Rotate } from './rotation.ts';

/** How a question was answered, for the metrics. */
export type QueryResult =
  /** From the ledger, with addresses or without. */
  | 'local'
  /** From the ledger: no such name, for this asker. */
  | 'local-nxdomain'
  | 'cached'
  | 'forwarded'
  /** No nameserver answered, or there is none to ask. */
  | 'failed'
  /** Malformed, of a kind that is not served, or too many. */
  | 'refused';

export interface Asked {
  readonly sandboxId: string;
  readonly bytes: Buffer;
  readonly transport: 'udp' | 'tcp';
  readonly allowance: Allowance;
}

/** The containers on other hosts. Both reject where nobody can say now. */
export interface RemoteNames {
  /** Addresses of those on a network that answer to a name, in lower case. */
  readonly addressesOf: (networkId: string, name: string) => readonly string[] | Promise<readonly string[]>;
  /** What the one that has an address is called first. */
  readonly nameOf: (networkId: string, address: string) => string | undefined | Promise<string | undefined>;
}

export interface AnswererOptions {
  readonly ledger: Pick<Ledger, 'read'>;
  readonly networkIndex: (view: LedgerView) => NetworkIndex;
  readonly rotate: Rotate;
  readonly forwarder: Forwarder;
  /** Whom to ask for a sandbox; undefined: nobody. */
  readonly upstreamsOf: (sandbox: Sandbox, asker: Asker) => Upstreams | undefined;
  readonly onQuery: (result: QueryResult) => void;
  readonly remote: RemoteNames;
}

/** What the ledger says about a question. */
interface Found {
  readonly sandbox: Sandbox;
  readonly asker: Asker;
  readonly own: OwnName;
}

/** Questions of all sandboxes together that wait for nameservers: each holds a socket or two. */
const MOST_WAITING = 2048;

/** Undefined: no answer. Never rejects. */
export type Answer = (asked: Asked) => Promise<Buffer | undefined>;

export function openAnswerer(options: AnswererOptions): Answer {
  const { ledger, networkIndex, rotate, forwarder, upstreamsOf, onQuery, remote } = options;

  let waiting = 0;
  const memo = openLedgerMemo<Found | undefined>();

  const refuse = (answer: Buffer): Buffer => {
    onQuery('refused');
    return answer;
  };

  const forward = async (query: Query, upstreams: Upstreams | undefined, asked: Asked): Promise<Buffer> => {
    if (upstreams === undefined || upstreams.servers.length === 0) {
      onQuery('failed');
      return bareAnswer(query, RCODE.SERVFAIL);
    }
    if (waiting >= MOST_WAITING || !asked.allowance.enter()) return refuse(bareAnswer(query, RCODE.SERVFAIL));
    waiting += 1;
    let forwarded: Forwarded;
    try {
      forwarded = await forwarder.forward(query, upstreams);
    } finally {
      waiting -= 1;
      asked.allowance.leave();
    }
    const { answer, from } = forwarded;
    if (answer === undefined) {
      onQuery('failed');
      return bareAnswer(query, RCODE.SERVFAIL);
    }
    onQuery(from === 'cache' ? 'cached' : 'forwarded');
    if (answer.length <= roomFor(query, asked.transport) && !(asked.transport === 'tcp' && isTruncated(answer))) {
      return answer;
    }
    return asked.transport === 'udp' ? bareAnswer(query, FLAG.TC | rcodeOf(answer)) : bareAnswer(query, RCODE.SERVFAIL);
  };

  return async (asked) => {
    const query = readQuery(asked.bytes);
    if (query === undefined) return undefined;
    if ('refuse' in query) return refuse(emptyAnswer(asked.bytes, HEADER_BYTES, query.refuse));
    // Whole zones: more than one message, and nobody's business here.
    if (query.type === TYPE.AXFR || query.type === TYPE.IXFR) return refuse(bareAnswer(query, RCODE.REFUSED));
    try {
      const found = ledger.read((view) =>
        memo(view, `${asked.sandboxId} ${query.class} ${query.type} ${query.name ?? ''}`, () => {
          const sandbox = view.sandbox(asked.sandboxId);
          if (sandbox === undefined) return undefined;
          const asker = askerOf(view, sandbox.id);
          return { sandbox, asker, own: ownNameOf(view, networkIndex(view), asker, query) };
        }),
      );
      if (found === undefined) return refuse(bareAnswer(query, RCODE.SERVFAIL));
      const { sandbox, asker } = found;
      const own = await withRemote(found, query, remote);
      if (own.kind === 'foreign') return await forward(query, upstreamsOf(sandbox, asker), asked);
      onQuery(own.kind === 'unknown' ? 'local-nxdomain' : 'local');
      return localAnswer({ query, own, transport: asked.transport, rotate });
    } catch {
      // The ledger cannot be read, files have run out, or no other host can be asked: the next nameserver of the resolv.conf is asked.
      onQuery('failed');
      return bareAnswer(query, RCODE.SERVFAIL);
    }
  };
}

const FAMILIES: Readonly<Record<number, readonly Family[]>> = {
  [TYPE.A]: [4],
  [TYPE.AAAA]: [6],
  [TYPE.ANY]: [4, 6],
};

function ownNameOf(view: LedgerView, index: NetworkIndex, asker: Asker, query: Query): OwnName {
  if (query.class !== CLASS_IN || query.name === undefined) return { kind: 'foreign' };
  const name = query.name.toLowerCase();
  // Of a name of ours, what is not an address is not there.
  return (
    lookUpAddress(view, index, asker, name) ??
    lookUpName(view, index, asker, { name, families: FAMILIES[query.type] ?? [] })
  );
}

/** The same with those on other hosts that have the name: they come and go without a change of the ledger. */
async function withRemote(
  { asker, own }: Found,
  { name = '', type, class: queryClass }: Query,
  remote: RemoteNames,
): Promise<OwnName> {
  const spanning = asker.networks.filter(({ scope }) => scope === 'global');
  if (own.kind === 'pointer' || queryClass !== CLASS_IN || spanning.length === 0) return own;
  const address = addressOfReverseName(name.toLowerCase());
  if (address !== undefined) return own.kind === 'unknown' ? pointerTo(address, spanning, remote) : own;
  const families = FAMILIES[type];
  let failure: Error | undefined;
  for (const candidate of candidates({ networks: spanning }, name.toLowerCase())) {
    let all: readonly string[];
    try {
      all = await remote.addressesOf(candidate.network.id, candidate.name);
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      continue;
    }
    if (all.length === 0) continue;
    const others = all.filter((one) => families?.includes(one.includes(':') ? 6 : 4) === true);
    return { kind: 'addresses', addresses: [...(own.kind === 'addresses' ? own.addresses : []), ...others] };
  }
  // That nobody has it is not known; those of this host who have it are there all the same.
  if (failure !== undefined && own.kind !== 'addresses') throw failure;
  return own;
}

async function pointerTo(address: string, networks: readonly Network[], remote: RemoteNames): Promise<OwnName> {
  for (const { id, name } of networks) {
    const found = await remote.nameOf(id, address);
    if (found !== undefined) return { kind: 'pointer', name: `${found}.${name}` };
  }
  return { kind: 'unknown' };
}
