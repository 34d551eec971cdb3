/**
 * What becomes of a network's packets in somebody else's chain: told from its rules, without sending any.
 *
 * Asked is after the flow that stands for most: new, on whatever port, between the network and where the host's default route
 * leads. Rules for a small part of the traffic do not decide about it. A rule that names the network's bridge is somebody's
 * decision about this network, not an oversight: what it accepts in part counts as accepted, what it drops is not ours to tell.
 * Wherever a rule cannot be weighed, the fate is `unknown`, which is no reason to warn.
 */
import { containsPrefix, isAddress, hostPrefix, overlaps, parseInterface, type Prefix } from '../../model/address.ts';
import type { Family } from '../../model/records.ts';
import type { BaseChain, Condition, ForwardRule, ForwardRules } from './forward-rule.ts';

export interface Passage {
  /** Out of the network, or in by a published port. */
  readonly direction: 'out' | 'in';
  readonly family: Family;
  readonly bridge: string;
  readonly subnet: string;
  /** The link of the host's default route; absent: there is none, and it may be any. */
  readonly uplink?: string;
}

export type Fate =
  | { readonly kind: 'accept' | 'unknown' }
  /** `why`: "policy drop", "ends with drop", "ends with reject". */
  | { readonly kind: 'drop'; readonly why: string }
  /** The rules of this chain are needed to tell. */
  | { readonly kind: 'unread'; readonly chain: string };

/** Whether a rule is about the packet. `partly`: about a small part of such packets. */
type Match = 'yes' | 'no' | 'maybe' | 'partly';

export function fateIn(base: BaseChain, rules: ForwardRules, passage: Passage): Fate {
  const walk: Walk = { rules, passage, ends: new Map() };
  const stopped = walkChain(walk, base.name, { certain: true, named: false });
  if (walk.unread !== undefined) return { kind: 'unread', chain: walk.unread };
  if (!stopped) walk.ends.set(base.policy, `policy ${base.policy}`);
  const why = walk.ends.get('drop');
  if (walk.ends.size > 1) return { kind: 'unknown' };
  return why === undefined ? { kind: 'accept' } : { kind: 'drop', why };
}

interface Walk {
  readonly rules: ForwardRules;
  readonly passage: Passage;
  /** How the packet's way may end, with what ends it. */
  readonly ends: Map<'accept' | 'drop', string>;
  unread?: string;
}

interface Way {
  /** The packet certainly comes this way. */
  readonly certain: boolean;
  /** By a rule that names the network's bridge. */
  readonly named: boolean;
}

/** Whether the packet's way certainly ends in this chain, or in one that it leads to. */
function walkChain(walk: Walk, chain: string, way: Way): boolean {
  const rules = walk.rules.get(chain);
  if (rules === undefined) {
    walk.unread = chain;
    return true;
  }
  let { certain } = way;
  for (const rule of rules) {
    const named = way.named || names(rule, walk.passage);
    const match = matchOf(rule, walk.passage);
    if (match === 'no' || (match === 'partly' && !(named && rule.verdict.kind === 'accept'))) continue;
    const surely = certain && match === 'yes';
    const { verdict } = rule;
    switch (verdict.kind) {
      case 'accept':
        walk.ends.set('accept', 'accept');
        if (surely) return true;
        break;
      case 'drop':
      case 'reject':
        walk.ends.set('drop', `ends with ${verdict.kind}`);
        if (named) walk.ends.set('accept', 'as somebody decided');
        if (surely) return true;
        break;
      case 'unknown':
        walk.ends.set('accept', 'perhaps').set('drop', 'perhaps');
        break;
      case 'return':
        if (match === 'yes') return false;
        certain = false;
        break;
      case 'jump':
      case 'goto':
        if (walkChain(walk, verdict.chain, { certain: surely, named })) return true;
        if (verdict.kind === 'jump') break;
        if (match === 'yes') return false;
        certain = false;
        break;
    }
  }
  return false;
}

function names({ conditions }: ForwardRule, { bridge }: Passage): boolean {
  return conditions.some(
    (condition) => condition.kind === 'link' && !condition.negated && condition.names.includes(bridge),
  );
}

function matchOf({ conditions }: ForwardRule, passage: Passage): Match {
  const matches = conditions.map((condition) => judge(condition, passage));
  return (['no', 'partly', 'maybe'] as const).find((match) => matches.includes(match)) ?? 'yes';
}

function judge(condition: Condition, passage: Passage): Match {
  const match = judgeTrait(condition, passage);
  if (!condition.negated) return match;
  return match === 'yes' ? 'no' : match === 'no' ? 'yes' : 'maybe';
}

function judgeTrait(trait: Condition, passage: Passage): Match {
  switch (trait.kind) {
    case 'link':
      return judgeLink(trait.names, passage, trait.side === passage.direction ? 'uplink' : 'bridge');
    case 'address':
      return judgeAddress(trait.prefixes, passage, (trait.side === 'source') === (passage.direction === 'out'));
    case 'family':
      return trait.families.includes(passage.family) ? 'yes' : 'no';
    case 'flow':
      return trait.states.includes('new') || (trait.states.includes('dnat') && passage.direction === 'in')
        ? 'yes'
        : 'no';
    case 'part':
      return 'partly';
    case 'extension':
    case 'unknown':
      return 'maybe';
  }
}

function judgeLink(names: readonly string[], passage: Passage, which: 'bridge' | 'uplink'): Match {
  const link = passage[which];
  const fits = names.map((name): Match => {
    if (name === '*') return 'yes';
    if (name.startsWith('@')) return 'maybe';
    if (link === undefined) return name === passage.bridge ? 'no' : 'maybe';
    return (name.endsWith('*') ? link.startsWith(name.slice(0, -1)) : name === link) ? 'yes' : 'no';
  });
  return fits.includes('yes') ? 'yes' : fits.includes('maybe') ? 'maybe' : 'no';
}

/** A shorter prefix may stand for the whole world: 0.0.0.0/1, 2000::/3. */
const WORLD_LENGTH = 8;

/** `ours`: the address is the container's; else it is somebody's in the world. */
function judgeAddress(prefixes: readonly string[], { subnet, family }: Passage, ours: boolean): Match {
  const network = parseInterface(subnet).prefix;
  const fits = prefixes.map((text): Match => {
    const prefix = prefixOf(text);
    if (prefix === undefined) return 'maybe';
    if (prefix.family !== family) return 'no';
    if (prefix.length === 0) return 'yes';
    if (!ours) return prefix.length < WORLD_LENGTH ? 'maybe' : 'partly';
    return containsPrefix(prefix, network) ? 'yes' : overlaps(prefix, network) ? 'maybe' : 'no';
  });
  return (['yes', 'maybe', 'partly'] as const).find((match) => fits.includes(match)) ?? 'no';
}

/** Undefined for what is neither an address nor a prefix: a range, a set, a mask that is no length. */
function prefixOf(text: string): Prefix | undefined {
  try {
    return parseInterface(isAddress(text) ? hostPrefix(text) : text).prefix;
  } catch {
    return undefined;
  }
}
