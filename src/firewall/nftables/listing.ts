/**
 * What `nft -j list table inet tsnet` says, as a value. Format: libnftables-json(5), protocols as numbers.
 */
import { joined } from './element.ts';
import { SETS, setLayout, type PartType, type SetName } from './table.ts';

interface ListedChain {
  /** "nat prerouting -100 accept"; absent: not a base chain. */
  readonly hook?: string;
  /** Comments of the rules in order; undefined: a rule without one. */
  readonly rules: readonly (string | undefined)[];
}

export interface ListedTable {
  readonly chains: ReadonlyMap<string, ListedChain>;
  /** Set or map → key → value; "" in a set. Sets that are not ours are left out. */
  readonly sets: ReadonlyMap<SetName, ReadonlyMap<string, string>>;
}

/** The table as it is while somebody has put it to sleep (`flags dormant`): its chains do nothing, whatever is in them. */
export const DORMANT: ListedTable = { chains: new Map(), sets: new Map() };

type Json = Readonly<Record<string, unknown>>;

const PROTOCOLS: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '132': 'sctp' };

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}

/** One part of a key or a value in our spelling. */
function part(value: unknown, type: PartType | undefined): string {
  if (type === 'inet_proto') return PROTOCOLS[text(value)] ?? text(value);
  if (type === 'verdict' && isObject(value)) return Object.keys(value)[0] ?? '';
  if (isObject(value) && Array.isArray(value['range'])) return value['range'].map(text).join('-');
  if (isObject(value) && isObject(value['prefix'])) {
    const { addr, len } = value['prefix'];
    return `${text(addr)}/${text(len)}`;
  }
  return text(value);
}

function parts(value: unknown, types: readonly PartType[]): string {
  const each: readonly unknown[] = isObject(value) && Array.isArray(value['concat']) ? value['concat'] : [value];
  return joined(each.map((one, index) => part(one, types[index])));
}

/** A set's element may be wrapped: `{ "elem": { "val": …, "comment": … } }`. */
function bare(element: unknown): unknown {
  return isObject(element) && isObject(element['elem']) ? element['elem']['val'] : element;
}

function elements(set: SetName, listed: Json): ReadonlyMap<string, string> {
  const { key, value } = setLayout(set);
  const found = new Map<string, string>();
  for (const element of Array.isArray(listed['elem']) ? (listed['elem'] as readonly unknown[]) : []) {
    const [left, right] = value === undefined ? [element, undefined] : (element as readonly [unknown, unknown]);
    found.set(parts(bare(left), key), value === undefined ? '' : parts(right, value));
  }
  return found;
}

/** Reads a listing of the table, terse or not. */
export function parseTable(objects: readonly Json[]): ListedTable {
  const chains = new Map<string, { readonly hook?: string; readonly rules: (string | undefined)[] }>();
  const sets = new Map<SetName, ReadonlyMap<string, string>>();
  for (const object of objects) {
    const { chain, rule } = object;
    const set = object['set'] ?? object['map'];
    if (isObject(chain)) {
      const hook = ['type', 'hook', 'prio', 'policy'].map((field) => text(chain[field] ?? '')).join(' ');
      chains.set(text(chain['name']), { ...('hook' in chain ? { hook } : {}), rules: [] });
    } else if (isObject(rule)) {
      const { comment } = rule;
      chains.get(text(rule['chain']))?.rules.push(typeof comment === 'string' ? comment : undefined);
    } else if (isObject(set)) {
      const name = text(set['name']);
      if (name in SETS) sets.set(name as SetName, elements(name as SetName, set));
    }
  }
  return { chains, sets };
}

/** The value of a key, "" in a set; undefined where it is not there. */
export function valueIn(table: ListedTable, set: SetName, key: readonly string[]): string | undefined {
  return table.sets.get(set)?.get(joined(key));
}
