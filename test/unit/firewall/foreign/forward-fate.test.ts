import { describe, expect, it } from 'vitest';
import { fateIn, type Passage } from '../../../../src/firewall/foreign/forward-fate.ts';
import type { BaseChain } from '../../../../src/firewall/foreign/forward-rule.ts';
import { iptablesRules } from '../../../../src/firewall/foreign/iptables-rules.ts';
import { parseSave } from '../../../../src/firewall/iptables/save.ts';

const WAY = { family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16', uplink: 'eth0' } as const;

/** The fate of what goes out and of what comes in; of FORWARD with these rules, after which comes `policy`. */
function fates(
  rules: readonly string[],
  { policy = 'drop', way = {} }: { policy?: 'accept' | 'drop'; way?: Partial<Passage> } = {},
): string {
  const ruleset = parseSave(
    ['*filter', ...rules.map((rule) => `-A ${/^[a-z]/.test(rule) ? '' : 'FORWARD '}${rule}`)].join('\n'),
  );
  const names = new Set(ruleset.get('filter')?.keys());
  const chains = new Map(
    ['FORWARD', ...names].map((name) => [name, iptablesRules(ruleset, name, (one) => names.has(one))]),
  );
  const base: BaseChain = { owner: 'nft', family: 'ip', table: 'filter', name: 'FORWARD', policy };
  return (['out', 'in'] as const)
    .map((direction) => {
      const fate = fateIn(base, chains, { ...WAY, ...way, direction });
      return fate.kind === 'drop' ? fate.why : fate.kind;
    })
    .join(', ');
}

describe('a chain decides', () => {
  const cases: [what: string, rules: string[], fates: string][] = [
    ['by its policy', [], 'policy drop, policy drop'],
    ['by its end', ['-j REJECT --reject-with icmp-host-prohibited'], 'ends with reject, ends with reject'],
    ['by a chain that it leads to', ['-j end', 'end -j DROP', '-j ACCEPT'], 'ends with drop, ends with drop'],
    ['after what it leads to', ['-j none', 'none -j RETURN', 'none -j DROP'], 'policy drop, policy drop'],
    ['by going over for good', ['-g none', 'none -i docker0 -j ACCEPT', '-j ACCEPT'], 'policy drop, policy drop'],

    ['for the bridge, both ways', ['-i tsnet0 -j ACCEPT', '-o tsnet0 -j ACCEPT'], 'accept, accept'],
    ['for one way only', ['-i tsnet0 -j ACCEPT'], 'accept, policy drop'],
    ['for bridges that begin so', ['-i tsn+ -j ACCEPT', '-o br+ -j ACCEPT'], 'accept, policy drop'],
    ['for what leaves by the uplink', ['-o eth0 -j ACCEPT'], 'accept, policy drop'],
    ['for all but another bridge', ['! -i docker0 -j ACCEPT'], 'accept, accept'],
    ['for another bridge', ['-i docker0 ! -o docker0 -j ACCEPT', '-o docker0 -j ACCEPT'], 'policy drop, policy drop'],
    ['for the subnet', ['-s 172.17.0.0/16 -j ACCEPT', '-d 172.16.0.0/12 -j ACCEPT'], 'accept, accept'],
    ['for other subnets', ['-s 10.8.0.0/24 -j ACCEPT', '-d 10.8.0.0/24 -j ACCEPT'], 'policy drop, policy drop'],

    [
      'about replies, which does not help',
      ['-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'],
      'policy drop, policy drop',
    ],
    ['about new flows', ['-m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT'], 'accept, accept'],
    ['about published ports', ['-m conntrack --ctstate DNAT -j ACCEPT'], 'policy drop, accept'],
    [
      'about a few ports or pings, which does not help',
      ['-p tcp -m tcp --dport 22 -j ACCEPT', '-p icmp -j ACCEPT'],
      'policy drop, policy drop',
    ],
    ['about a mark, which does not help', ['-m mark --mark 0x1 -j ACCEPT'], 'policy drop, policy drop'],
    ['whatever the comment', ['-m comment --comment "a \\"b\\" -j DROP" -j ACCEPT'], 'accept, accept'],
    ['and only logs', ['-m limit --limit 3/min -j LOG --log-prefix "x "'], 'policy drop, policy drop'],
  ];
  it.each(cases)('%s', (_what, rules, expected) => {
    expect(fates(rules)).toBe(expected);
  });

  it('by its policy, if that is to accept', () => {
    expect(fates(['-i docker0 -j DROP', '-p tcp -m tcp --dport 25 -j REJECT'], { policy: 'accept' })).toBe(
      'accept, accept',
    );
  });
});

describe('it cannot be told', () => {
  const cases: [why: string, rules: string[], fates: string][] = [
    ['what an extension looks for', ['-m owner --uid-owner 0 -j ACCEPT'], 'unknown, unknown'],
    ['what an extension without options looks for', ['-m socket -j ACCEPT'], 'unknown, unknown'],
    ['whether most of the world is meant', ['-d 0.0.0.0/1 -j ACCEPT'], 'unknown, policy drop'],
    ['what most of the world is', ['! -s 10.8.0.0/24 -j ACCEPT'], 'accept, unknown'],
    ['how much of the network it is', ['-s 172.17.128.0/17 -j ACCEPT'], 'unknown, policy drop'],
    ['how much all of TCP is', ['-p tcp -j ACCEPT'], 'unknown, unknown'],
    ['what a queue decides', ['-j NFQUEUE --queue-num 0'], 'unknown, unknown'],
    ['whether it returns', ['-j sub', 'sub -m owner --uid-owner 0 -j RETURN', 'sub -j ACCEPT'], 'unknown, unknown'],
    [
      'whether it goes over',
      ['-m owner --uid-owner 0 -g sub', 'sub -i docker0 -j DROP', '-j ACCEPT'],
      'unknown, unknown',
    ],
    [
      'what somebody lets this very bridge do',
      ['-i tsnet0 -p tcp -m tcp --dport 443 -j ACCEPT'],
      'unknown, policy drop',
    ],
    [
      'why somebody drops this very bridge',
      ['-i tsnet0 -j DROP', '-o tsnet0 -j sub', 'sub -j REJECT'],
      'unknown, unknown',
    ],
  ];
  it.each(cases)('%s', (_why, rules, expected) => {
    expect(fates(rules)).toBe(expected);
  });

  it('which link is the uplink, without a default route', () => {
    const way = { uplink: undefined } as unknown as Partial<Passage>;
    expect(fates(['-o eth0 -j ACCEPT'], { way })).toBe('unknown, policy drop');
    expect(fates(['-i docker0 ! -o docker0 -j ACCEPT'], { way })).toBe('policy drop, unknown');
    expect(fates(['-i tsnet0 -o tsnet0 -j ACCEPT'], { way })).toBe('policy drop, policy drop');
  });
});

it('asks for chains as it comes to them', () => {
  const base: BaseChain = { owner: 'nft', family: 'ip', table: 'filter', name: 'FORWARD', policy: 'accept' };
  const passage: Passage = { ...WAY, direction: 'out' };
  expect(fateIn(base, new Map(), passage)).toEqual({ kind: 'unread', chain: 'FORWARD' });
  const jump = { conditions: [], verdict: { kind: 'jump', chain: 'sub' } } as const;
  const other = { kind: 'link', side: 'in', names: ['docker0'], negated: false } as const;
  const rules = new Map([['FORWARD', [{ ...jump, conditions: [other] }, jump]]]);
  expect(fateIn(base, rules, passage)).toEqual({ kind: 'unread', chain: 'sub' });
  expect(fateIn(base, new Map([...rules, ['sub', []]]), passage)).toEqual({ kind: 'accept' });
});
