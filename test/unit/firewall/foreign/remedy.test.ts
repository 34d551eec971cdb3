import { describe, expect, it } from 'vitest';
import type { BaseChain, ForwardRule, ForwardRules } from '../../../../src/firewall/foreign/forward-rule.ts';
import { remedyFor } from '../../../../src/firewall/foreign/remedy.ts';

const FORWARD: BaseChain = { owner: 'nft', family: 'ip', table: 'filter', name: 'FORWARD', policy: 'drop' };

const jump = (chain: string): ForwardRule => ({ conditions: [], verdict: { kind: 'jump', chain } });
const end = (kind: 'drop' | 'return'): ForwardRule => ({ conditions: [], verdict: { kind } });

interface Given {
  readonly base?: Partial<BaseChain>;
  readonly rules?: ForwardRules;
  readonly bridge?: string;
  readonly directions?: readonly ('out' | 'in')[];
  readonly iptables?: 'nft' | 'legacy';
}

function remedy({
  base = {},
  rules = new Map(),
  bridge = 'br0',
  directions = ['out', 'in'],
  iptables = 'nft',
}: Given): string {
  const passages = directions.map((direction) => ({ direction, family: 4, bridge, subnet: '10.0.0.0/24' }) as const);
  return remedyFor({ base: { ...FORWARD, ...base }, rules, passages, iptables });
}

const all = '-i br0 -j ACCEPT';

describe('of iptables', () => {
  it('is the variant and the family that keep the chain', () => {
    const programs = (['nft', 'legacy'] as const).flatMap((owner) =>
      (['ip', 'ip6'] as const).flatMap((family) =>
        (['nft', 'legacy'] as const).map((iptables) =>
          remedy({ base: { owner, family }, iptables, directions: ['out'] }),
        ),
      ),
    );
    expect(programs).toEqual([
      `iptables -I FORWARD ${all}`,
      `iptables-nft -I FORWARD ${all}`,
      `ip6tables -I FORWARD ${all}`,
      `ip6tables-nft -I FORWARD ${all}`,
      `iptables-legacy -I FORWARD ${all}`,
      `iptables -I FORWARD ${all}`,
      `ip6tables-legacy -I FORWARD ${all}`,
      `ip6tables -I FORWARD ${all}`,
    ]);
  });

  it('opens only the way that is closed', () => {
    expect(remedy({ directions: ['in'] })).toBe('iptables -I FORWARD -o br0 -j ACCEPT');
  });

  it('is in Docker’s chain for it, if packets come there before they are dropped', () => {
    const user: [string, ForwardRule[]] = ['DOCKER-USER', [end('return')]];
    const chain = (...rules: ForwardRule[]): ForwardRules => new Map([['FORWARD', rules], user]);
    expect(remedy({ rules: chain(jump('DOCKER-USER')), directions: ['out'] })).toBe(`iptables -I DOCKER-USER ${all}`);
    expect(remedy({ rules: chain(end('drop'), jump('DOCKER-USER')), directions: ['out'] })).toBe(
      `iptables -I FORWARD ${all}`,
    );
    expect(remedy({ rules: chain(), directions: ['out'] })).toBe(`iptables -I FORWARD ${all}`);
  });

  it('is ufw’s where both are, and plain where what ufw is told comes too late', () => {
    const rules = (...ufw: ForwardRule[]): ForwardRules =>
      new Map([
        ['FORWARD', [jump('DOCKER-USER'), jump('ufw-user-forward')]],
        ['DOCKER-USER', []],
        ['ufw-user-forward', ufw],
      ]);
    expect(remedy({ rules: rules() })).toBe('ufw route allow in on br0 && ufw route allow out on br0');
    expect(remedy({ rules: rules(end('drop')), directions: ['out'] })).toBe(`iptables -I DOCKER-USER ${all}`);
  });
});

describe('of nftables', () => {
  it('is one transaction', () => {
    expect(remedy({ base: { family: 'inet', table: 'guard', name: 'forward' } })).toBe(
      `nft 'insert rule inet guard forward iifname "br0" accept; insert rule inet guard forward oifname "br0" accept'`,
    );
  });

  it('is meant for a table filter that is not iptables’s, too', () => {
    expect(remedy({ base: { name: 'forward' }, directions: ['in'] })).toBe(
      `nft 'insert rule ip filter forward oifname "br0" accept'`,
    );
  });
});

it('names bridges as a shell takes them', () => {
  expect(remedy({ bridge: 'a$b;c', directions: ['out'] })).toBe(`iptables -I FORWARD -i 'a$b;c' -j ACCEPT`);
  expect(remedy({ bridge: "it's", directions: ['out'] })).toBe(`iptables -I FORWARD -i 'it'\\''s' -j ACCEPT`);
});
