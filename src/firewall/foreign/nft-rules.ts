/**
 * Rules as `nft -j list chain` prints them (libnftables-json(5), protocols as numbers) → what they decide.
 */
import type { Family } from '../../model/records.ts';
import type { BaseChain, Condition, ForwardRule, Trait, Verdict } from './forward-rule.ts';

type Json = Readonly<Record<string, unknown>>;

/** A table, as commands name it: "inet firewalld". */
export function tableName({ family, table }: Pick<BaseChain, 'family' | 'table'>): string {
  return `${family} ${table}`;
}

/** The chains on the hook `forward` of a listing of chains. */
export function forwardChains(objects: readonly Json[]): BaseChain[] {
  return objects.flatMap(({ chain }): BaseChain[] => {
    if (!isObject(chain) || chain['hook'] !== 'forward') return [];
    const { family, table, name, policy } = chain;
    if (family !== 'ip' && family !== 'ip6' && family !== 'inet') return [];
    return [
      {
        owner: 'nft',
        family,
        table: String(table),
        name: String(name),
        policy: policy === 'drop' ? 'drop' : 'accept',
      },
    ];
  });
}

/** The names of all chains of a table. */
export function chainNames(objects: readonly Json[], { family, table }: BaseChain): Set<string> {
  return new Set(
    objects.flatMap(({ chain }) =>
      isObject(chain) && chain['family'] === family && chain['table'] === table ? [String(chain['name'])] : [],
    ),
  );
}

/**
 * Tables that keep sets of something else than links. To list a chain, nft reads all elements of all sets of its table (seen
 * in 1.0.6): where those are blocklists of 100,000 addresses, that takes most of a second.
 */
export function addressSets(objects: readonly Json[]): Set<string> {
  return new Set(
    objects.flatMap(({ set }) =>
      isObject(set) && set['type'] !== 'ifname' ? [`${String(set['family'])} ${String(set['table'])}`] : [],
    ),
  );
}

/** The members of a listed set. */
export function setMembers(objects: readonly Json[]): string[] {
  return objects.flatMap(({ set }) => (isObject(set) && Array.isArray(set['elem']) ? valuesOf(set['elem']) : []));
}

/** The rules of one chain's listing, in order. */
export function nftRules(objects: readonly Json[]): ForwardRule[] {
  return objects.flatMap(({ rule }): ForwardRule[] =>
    isObject(rule) && Array.isArray(rule['expr']) ? rulesOf((rule['expr'] as readonly unknown[]).filter(isObject)) : [],
  );
}

/** A rule with a map of verdicts is as many rules as the map has elements. */
function rulesOf(statements: readonly Json[]): ForwardRule[] {
  const conditions: Condition[] = [];
  for (const statement of statements) {
    const verdict = verdictOf(statement);
    if (verdict !== undefined) return [{ conditions, verdict }];
    if (isObject(statement['vmap'])) {
      return branchesOf(statement['vmap']).map((branch) => ({
        ...branch,
        conditions: [...conditions, ...branch.conditions],
      }));
    }
    conditions.push(...conditionsOf(statement));
  }
  // What only counts, logs or marks. A statement that nft cannot name may be an end.
  return statements.some((statement) => 'xt' in statement && !isObject(statement['xt']))
    ? [{ conditions, verdict: { kind: 'unknown' } }]
    : [];
}

const ENDS = ['accept', 'drop', 'reject', 'return'] as const;

function verdictOf(statement: Json): Verdict | undefined {
  const kind = ENDS.find((end) => end in statement);
  if (kind !== undefined) return { kind };
  for (const lead of ['jump', 'goto'] as const) {
    const target = statement[lead];
    if (isObject(target)) return { kind: lead, chain: String(target['target']) };
  }
  const { xt } = statement;
  if (isObject(xt) && xt['type'] === 'target') {
    if (xt['name'] === 'REJECT') return { kind: 'reject' };
    if (xt['name'] === 'NFQUEUE') return { kind: 'unknown' };
  }
  return 'queue' in statement ? { kind: 'unknown' } : undefined;
}

function branchesOf({ key, data }: Json): ForwardRule[] {
  const elements = isObject(data) && Array.isArray(data['set']) ? (data['set'] as readonly unknown[]) : undefined;
  return (elements ?? [undefined]).map((element) => {
    const [wrapped, end] = Array.isArray(element) ? (element as readonly unknown[]) : [];
    const value = bare(wrapped);
    const verdict = isObject(end) ? verdictOf(end) : undefined;
    if (verdict === undefined) return { conditions: [], verdict: { kind: 'unknown' } };
    // `iifname . oifname vmap { a . b : accept }`: all parts hold.
    const [keys, values] =
      isObject(key) && 'concat' in key ? [key['concat'], isObject(value) ? value['concat'] : []] : [[key], [value]];
    const parts = (keys as readonly unknown[]).flatMap((part, index) =>
      comparison(part, '==', (values as readonly unknown[])[index]),
    );
    return { conditions: parts, verdict };
  });
}

const unknown: Condition = { kind: 'unknown', negated: false };

function conditionsOf(statement: Json): Condition[] {
  const { match, xt } = statement;
  if (isObject(match)) return comparison(match['left'], String(match['op']), match['right']);
  if (isObject(xt))
    return xt['type'] === 'target' || xt['name'] === 'comment' ? [] : [{ kind: 'extension', negated: false }];
  if ('xt' in statement) return [{ kind: 'extension', negated: false }];
  return 'limit' in statement || 'quota' in statement || 'ct count' in statement ? [unknown] : [];
}

function comparison(left: unknown, op: string, right: unknown): Condition[] {
  if (!['==', '!=', 'in'].includes(op)) return [unknown];
  const negated = op === '!=';
  const values = valuesOf(right);
  const is = (trait: Trait): Condition[] => [{ ...trait, negated }];
  if (!isObject(left)) return [unknown];
  const { meta, ct, payload } = left;
  if (isObject(meta)) return is(metaTrait(String(meta['key']), values));
  if (isObject(ct)) {
    if (ct['key'] === 'state' || ct['key'] === 'status') return is({ kind: 'flow', states: values });
    return is(ct['key'] === 'mark' ? { kind: 'part' } : { kind: 'unknown' });
  }
  if (isObject(payload)) {
    const [protocol, field] = [String(payload['protocol']), String(payload['field'])];
    const trait = payloadTrait(protocol, field, values);
    // In a table of both families `ip saddr` is about IPv4 packets only.
    return protocol === 'ip' || protocol === 'ip6'
      ? [{ kind: 'family', families: [protocol === 'ip' ? 4 : 6], negated: false }, ...is(trait)]
      : is(trait);
  }
  const masked = left['&'];
  const isMark =
    Array.isArray(masked) &&
    masked.some((one) => isObject(one) && isObject(one['meta']) && one['meta']['key'] === 'mark');
  return is(isMark ? { kind: 'part' } : { kind: 'unknown' });
}

const FAMILIES: Readonly<Record<string, Family>> = { ipv4: 4, ipv6: 6, ip: 4, ip6: 6, '2': 4, '10': 6 };

function metaTrait(key: string, values: readonly string[]): Trait {
  switch (key) {
    case 'iifname':
    case 'iif':
      return { kind: 'link', side: 'in', names: values };
    case 'oifname':
    case 'oif':
      return { kind: 'link', side: 'out', names: values };
    case 'nfproto':
    case 'protocol': {
      const families = values.map((value) => FAMILIES[value]);
      return families.includes(undefined)
        ? { kind: 'unknown' }
        : { kind: 'family', families: families.filter((one) => one !== undefined) };
    }
    case 'l4proto':
      return protocolTrait(values);
    case 'mark':
      return { kind: 'part' };
    default:
      return { kind: 'unknown' };
  }
}

function payloadTrait(protocol: string, field: string, values: readonly string[]): Trait {
  if (protocol === 'ip' || protocol === 'ip6') {
    if (field === 'saddr') return { kind: 'address', side: 'source', prefixes: values };
    if (field === 'daddr') return { kind: 'address', side: 'destination', prefixes: values };
    return field === 'protocol' || field === 'nexthdr' ? protocolTrait(values) : { kind: 'unknown' };
  }
  return protocol === 'ether' ? { kind: 'unknown' } : { kind: 'part' };
}

/** All of TCP or UDP is much of what a network sends; no other protocol is. */
export function protocolTrait(protocols: readonly string[]): Trait {
  const much = ['tcp', 'udp', '6', '17'];
  return protocols.every((protocol) => /^(\d+|[a-z][a-z0-9-]*)$/.test(protocol) && !much.includes(protocol))
    ? { kind: 'part' }
    : { kind: 'unknown' };
}

/** The right side of a comparison as texts; what is neither a text, a number nor a prefix cannot be told from its text. */
function valuesOf(right: unknown): string[] {
  if (Array.isArray(right)) return (right as readonly unknown[]).flatMap(valuesOf);
  if (!isObject(right)) return [String(right)];
  const several = right['set'] ?? right['|'];
  if (Array.isArray(several)) return valuesOf(several);
  if (isObject(right['elem'])) return valuesOf(bare(right));
  const { prefix } = right;
  return [isObject(prefix) ? `${String(prefix['addr'])}/${String(prefix['len'])}` : JSON.stringify(right)];
}

/** An element may be wrapped: `{ "elem": { "val": …, "comment": … } }`. */
function bare(element: unknown): unknown {
  return isObject(element) && isObject(element['elem']) ? element['elem']['val'] : element;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
