/** What nft 1.0.6 printed of the rules named in each line. */
import { describe, expect, it } from 'vitest';
import {
  linkSets,
  withMembers,
  type Condition,
  type ForwardRule,
} from '../../../../src/firewall/foreign/forward-rule.ts';
import {
  addressSets,
  chainNames,
  forwardChains,
  nftRules,
  setMembers,
} from '../../../../src/firewall/foreign/nft-rules.ts';
import type { NftObject } from '../../../../src/kernel/nft.ts';
import { parseListing } from '../../../../src/kernel/nft-output.ts';
import { recording } from './recorded-host.ts';

const listings = recording('statements');
const listed = (command: string): readonly NftObject[] => parseListing(listings.get(command) ?? '');

function conditionText(condition: Condition): string {
  const not = condition.negated ? 'not ' : '';
  switch (condition.kind) {
    case 'link':
      return `${not}${condition.side} ${condition.names.join('|')}`;
    case 'address':
      return `${not}${condition.side} ${condition.prefixes.join('|')}`;
    case 'family':
      return `${not}IPv${condition.families.join('|')}`;
    case 'flow':
      return `${not}${condition.states.join('|')}`;
    case 'part':
    case 'extension':
    case 'unknown':
      return not + condition.kind;
  }
}

function ruleText({ conditions, verdict }: ForwardRule): string {
  const end = 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
  return [...conditions.map(conditionText), end].join(', ');
}

describe('rules', () => {
  it('of every kind of statement', () => {
    expect(nftRules(listed('nft -j -p list chain inet mine rules')).map(ruleText)).toEqual([
      // ct state vmap { established : accept, invalid : drop }
      'invalid, drop',
      'established, accept',
      // ct state established,related counter accept comment "x"
      'established|related, accept',
      // ct status dnat accept
      'dnat, accept',
      // iifname @lan oifname { "eth0", "ppp*" } accept
      'in @lan, out eth0|ppp*, accept',
      // iifname . oifname vmap { "a" . "b" : accept, "c" . "d" : jump sub }
      'in a, out b, accept',
      'in c, out d, jump sub',
      // iifname vmap { "a" : goto sub }
      'in a, goto sub',
      // iif lo return
      'in lo, return',
      // iifname != "a" reject with tcp reset, which nft completes to `meta l4proto tcp …`
      'unknown, not in a, reject',
      // ip saddr { 10.0.0.0/8, 192.168.1.1, 1.1.1.1-1.1.1.9 } drop
      'IPv4, source {"range":["1.1.1.1","1.1.1.9"]}|10.0.0.0/8|192.168.1.1, drop',
      // ip6 daddr != fe80::/10 drop
      'IPv6, not destination fe80::/10, drop',
      // tcp dport { 1-5, 7 } accept
      'part, accept',
      // icmp type echo-request accept
      'part, accept',
      // meta mark & 0xff == 0x10 accept
      'part, accept',
      // meta mark 3 accept
      'part, accept',
      // meta nfproto ipv4 accept
      'IPv4, accept',
      // meta l4proto { tcp, udp } accept
      'unknown, accept',
      // ip protocol icmp accept
      'IPv4, part, accept',
      // meta l4proto icmpv6 accept
      'part, accept',
      // limit rate 3/minute log prefix "x" accept
      'unknown, accept',
      // fib saddr . iif oif missing drop
      'unknown, drop',
      // meta pkttype unicast accept
      'unknown, accept',
    ]);
  });

  it('of iptables, whose extensions are no more than names', () => {
    // -m comment --comment hi -j LOG · -m comment --comment hi -j REJECT · -m conntrack --ctstate NEW -j ACCEPT
    expect(nftRules(listed('nft -j -p list chain ip filter FORWARD')).map(ruleText)).toEqual([
      'reject',
      'extension, accept',
    ]);
  });

  it('that nft cannot print end who knows how', () => {
    const rule = { expr: [{ xt: null }] };
    expect(nftRules([{ rule }]).map(ruleText)).toEqual(['extension, unknown']);
    const queue = { expr: [{ queue: { num: 1 } }] };
    expect(nftRules([{ rule: queue }]).map(ruleText)).toEqual(['unknown']);
    const map = { expr: [{ vmap: { key: { meta: { key: 'iifname' } }, data: '@verdicts' } }] };
    expect(nftRules([{ rule: map }]).map(ruleText)).toEqual(['unknown']);
  });
});

describe('sets', () => {
  it('of links are put in place of their names', () => {
    const rules = nftRules(listed('nft -j -p list chain inet mine rules'));
    expect(linkSets(rules)).toEqual(['lan']);
    const members = new Map([['lan', setMembers(listed('nft -j -p list set inet mine lan'))]]);
    expect(withMembers(rules, members).map(ruleText)).toContain('in br*|eth0, out eth0|ppp*, accept');
  });

  it('of addresses make a table costly to read', () => {
    const lan = listed('nft -j -p -t list sets');
    expect([...addressSets(lan)]).toEqual([]);
    const blocked = { set: { family: 'ip', name: 'blocked', table: 'crowdsec', type: 'ipv4_addr' } };
    expect([...addressSets([...lan, blocked])]).toEqual(['ip crowdsec']);
  });
});

describe('chains', () => {
  const chain = (family: string, table: string, name: string, more: object = {}): NftObject => ({
    chain: { family, table, name, ...more },
  });
  const hook = (name: string, policy: string): object => ({ type: 'filter', hook: name, prio: 0, policy });
  const objects = [
    chain('ip', 'filter', 'FORWARD', hook('forward', 'drop')),
    chain('ip', 'filter', 'DOCKER'),
    chain('ip', 'nat', 'DOCKER'),
    chain('inet', 'filter', 'in', hook('input', 'drop')),
    chain('inet', 'filter', 'out', hook('forward', 'accept')),
    chain('bridge', 'filter', 'FORWARD', hook('forward', 'drop')),
  ];

  it('on the hook forward that routed packets cross', () => {
    expect(
      forwardChains(objects).map(({ family, table, name, policy }) => `${family} ${table} ${name} ${policy}`),
    ).toEqual(['ip filter FORWARD drop', 'inet filter out accept']);
  });

  it('by table', () => {
    const [base] = forwardChains(objects);
    expect(base && [...chainNames(objects, base)]).toEqual(['FORWARD', 'DOCKER']);
  });
});
