/**
 * Texts for nft(8), each committed as one transaction.
 */
import { distinct, elementCommands, joined, type Element } from './element.ts';
import { valueIn, type ListedTable } from './listing.ts';
import { frameFaults } from './frame-faults.ts';
import {
  CHAIN_NAMES,
  SET_NAMES,
  TABLE,
  USER_CHAIN,
  chainLayout,
  setLayout,
  type ChainName,
  type SetName,
} from './table.ts';

function declareSet(name: SetName): string {
  const { key, value, interval } = setLayout(name);
  const type = value === undefined ? joined(key) : `${joined(key)} : ${joined(value)}`;
  const flags = interval === true ? ' flags interval;' : '';
  return `add ${value === undefined ? 'set' : 'map'} ${TABLE} ${name} { type ${type};${flags} }\n`;
}

function declareChain(name: ChainName): string {
  const { hook } = chainLayout(name);
  const head = `add chain ${TABLE} ${name}`;
  if (hook === undefined) return `${head}\n`;
  return `${head} { type ${hook.type} hook ${hook.hook} priority ${hook.priority}; policy accept; }\n`;
}

function rules(name: ChainName): string {
  return Object.entries(chainLayout(name).rules)
    .map(([comment, rule]) => `add rule ${TABLE} ${name} ${rule} comment "${comment}"\n`)
    .join('');
}

/**
 * The table's sets, chains and rules. Whatever of them is there: elements and the administrator's chain stay, our chains are
 * emptied and filled again in the same transaction, so that no packet meets an empty one.
 */
export function frame(): string {
  return [
    `add table ${TABLE}\n`,
    ...SET_NAMES.map(declareSet),
    `add chain ${TABLE} ${USER_CHAIN}\n`,
    ...CHAIN_NAMES.map(declareChain),
    ...CHAIN_NAMES.map((name) => `flush chain ${TABLE} ${name}\n`),
    ...CHAIN_NAMES.map(rules),
  ].join('');
}

/** The same table without flags. */
export function wakening(): string {
  return `add table ${TABLE}\n`;
}

/** Adds elements to a table that has its frame. What is there already stays; one that leads elsewhere refuses the whole. */
export function additions(elements: readonly Element[]): string {
  return elementCommands('add', distinct(elements));
}

/** Takes away elements that should be there; a missing one refuses the whole. */
export function removals(elements: readonly Element[]): string {
  return elementCommands('delete', distinct(elements));
}

/** What `table`, undefined where it is not there, lacks: its frame where that is not whole, and the elements. "": nothing. */
export function completion(table: ListedTable | undefined, elements: readonly Element[]): string {
  const wanted = distinct(elements);
  if (table === undefined) return frame() + additions(wanted);
  const stale = wanted.filter(({ set, key, value }) => {
    const there = valueIn(table, set, key);
    return there !== undefined && value !== undefined && there !== joined(value);
  });
  const missing = wanted.filter(({ set, key }) => valueIn(table, set, key) === undefined);
  return [
    frameFaults(table).length === 0 ? '' : frame(),
    elementCommands('delete', stale),
    elementCommands('add', [...stale, ...missing]),
  ].join('');
}

/** Takes away those elements that are there and lead where ours lead. */
export function withdrawal(table: ListedTable | undefined, elements: readonly Element[]): string {
  if (table === undefined) return '';
  return removals(elements.filter(({ set, key, value = [] }) => valueIn(table, set, key) === joined(value)));
}

/** Whether more is there than what `dismantling` leaves for the administrator's sake. */
export function isInUse(table: ListedTable): boolean {
  return CHAIN_NAMES.some((name) => name !== 'forward' && table.chains.has(name));
}

/**
 * Takes everything of ours away. The administrator's chain stays if it has rules, with the way into it, and the sets,
 * emptied, which its rules may name.
 */
export function dismantling(table: ListedTable | undefined): string {
  if (table === undefined) return '';
  const foreign = [...table.chains].some(
    ([name, { rules: theirs }]) => !(CHAIN_NAMES as readonly string[]).includes(name) && theirs.length > 0,
  );
  if (!foreign) return `delete table ${TABLE}\n`;
  const ours = CHAIN_NAMES.filter((name) => table.chains.has(name));
  const leaving = ours.filter((name) => name !== 'forward');
  return [
    ...ours.map((name) => `flush chain ${TABLE} ${name}\n`),
    ...leaving.toReversed().map((name) => `delete chain ${TABLE} ${name}\n`),
    `add rule ${TABLE} forward jump ${USER_CHAIN}\n`,
    ...SET_NAMES.filter((name) => table.sets.has(name)).map(
      (name) => `flush ${setLayout(name).value === undefined ? 'set' : 'map'} ${TABLE} ${name}\n`,
    ),
  ].join('');
}
