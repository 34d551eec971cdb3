/**
 * Rules as iptables-save and `iptables -S` print them → what they decide.
 */
import { rulesIn, type Ruleset } from '../iptables/save.ts';
import type { Condition, ForwardRule, Trait, Verdict } from './forward-rule.ts';
import { protocolTrait } from './nft-rules.ts';

/** The rules of a chain of the table filter. `isChain` tells chains from targets, which have names of the same kind. */
export function iptablesRules(ruleset: Ruleset, chain: string, isChain: (name: string) => boolean): ForwardRule[] {
  return rulesIn(ruleset, 'filter', chain).flatMap((text) => parseRule(text, isChain) ?? []);
}

/** The policy of a chain of the table filter in the output of iptables-save. */
export function iptablesPolicy(text: string, chain: string): 'accept' | 'drop' {
  return text.split('\n').some((line) => line.startsWith(`:${chain} DROP `)) ? 'drop' : 'accept';
}

/** Undefined for a rule that only counts, logs or marks. */
function parseRule(text: string, isChain: (name: string) => boolean): ForwardRule | undefined {
  const conditions: Condition[] = [];
  let extension = '';
  for (const { option, values, negated } of optionsOf(text)) {
    const [value = ''] = values;
    if (option === '-j' || option === '-g') {
      const verdict = verdictOf(option, value, isChain);
      return verdict && { conditions, verdict };
    }
    if (option === '-m') extension = value;
    const ofExtension = option === '-m' || option.startsWith('--');
    const trait = ofExtension ? extensionTrait(extension, option, values) : plainTrait(option, value);
    if (trait !== undefined) conditions.push({ ...trait, negated });
  }
  return undefined;
}

interface Option {
  readonly option: string;
  readonly values: readonly string[];
  readonly negated: boolean;
}

/** "-i br0 ! -o br0 -m comment --comment "a b" -j DROP", option by option. */
function optionsOf(text: string): Option[] {
  const options: (Option & { readonly values: string[] })[] = [];
  let negated = false;
  for (const [word] of text.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)) {
    if (word === '!') negated = true;
    else if (/^-{1,2}[a-zA-Z]/.test(word)) {
      options.push({ option: word, values: [], negated });
      negated = false;
    } else options.at(-1)?.values.push(word);
  }
  return options;
}

const ENDS = { ACCEPT: 'accept', DROP: 'drop', REJECT: 'reject', RETURN: 'return' } as const;

function verdictOf(option: '-j' | '-g', target: string, isChain: (name: string) => boolean): Verdict | undefined {
  if (target in ENDS) return { kind: ENDS[target as keyof typeof ENDS] };
  if (isChain(target)) return { kind: option === '-g' ? 'goto' : 'jump', chain: target };
  return target === 'NFQUEUE' || target === 'QUEUE' ? { kind: 'unknown' } : undefined;
}

function plainTrait(option: string, value: string): Trait | undefined {
  switch (option) {
    case '-i':
      return { kind: 'link', side: 'in', names: [value.replace(/\+$/, '*')] };
    case '-o':
      return { kind: 'link', side: 'out', names: [value.replace(/\+$/, '*')] };
    case '-s':
      return { kind: 'address', side: 'source', prefixes: [value] };
    case '-d':
      return { kind: 'address', side: 'destination', prefixes: [value] };
    case '-p':
      return value === 'all' ? undefined : protocolTrait([value]);
    default:
      return { kind: 'part' };
  }
}

/**
 * Extensions that are about a small part of the traffic, by their options or by being there at all. physdev is: those are
 * bridged frames that cross iptables. An extension of another name may be about anything.
 */
const PARTIAL_BY_OPTION = 'tcp udp sctp dccp multiport icmp icmp6 mark connmark policy physdev'.split(' ');
const PARTIAL = [...PARTIAL_BY_OPTION, ...'rt frag hbh dst ah esp'.split(' ')];
/** What says nothing without an option. */
const SILENT = [...PARTIAL_BY_OPTION, 'comment', 'conntrack', 'state'];

function extensionTrait(extension: string, option: string, values: readonly string[]): Trait | undefined {
  if (extension === 'comment' || (option === '-m' && SILENT.includes(extension))) return undefined;
  if (option === '--ctstate' || option === '--state') {
    return { kind: 'flow', states: (values[0] ?? '').toLowerCase().split(',') };
  }
  return { kind: PARTIAL.includes(extension) ? 'part' : 'unknown' };
}
