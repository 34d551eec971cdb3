import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { observeIntents, orphanElements } from '../../../../src/firewall/nftables/drift.ts';
import { elementText, joined, parseElement } from '../../../../src/firewall/nftables/element.ts';
import { elementsOf } from '../../../../src/firewall/nftables/intent-elements.ts';
import { parseTable, type ListedTable } from '../../../../src/firewall/nftables/listing.ts';
import { CHAIN_NAMES, SET_NAMES, chainLayout, type SetName } from '../../../../src/firewall/nftables/table.ts';
import { completion, dismantling, frame, withdrawal } from '../../../../src/firewall/nftables/transaction.ts';
import type { FirewallResource } from '../../../../src/plan/resource.ts';
import { CASES, network, publish } from '../cases.ts';

const NETWORK = network({ family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' });

/** The table as it should be with these intents. */
function whole(intents: readonly FirewallResource[]): ListedTable {
  const sets = new Map<SetName, Map<string, string>>(SET_NAMES.map((name) => [name, new Map()]));
  for (const { set, key, value = [] } of intents.flatMap(elementsOf)) sets.get(set)?.set(joined(key), joined(value));
  const chains = new Map<string, { readonly hook?: string; readonly rules: (string | undefined)[] }>([
    ['tsnet-user', { rules: [] }],
    ...CHAIN_NAMES.map((name) => {
      const { hook, rules } = chainLayout(name);
      const text = hook && `${hook.type} ${hook.hook} ${hook.priority} accept`;
      return [name, { ...(text === undefined ? {} : { hook: text }), rules: Object.keys(rules) }] as const;
    }),
  ]);
  return { chains, sets };
}

function without(table: ListedTable, set: SetName): ListedTable {
  return { ...table, sets: new Map([...table.sets].map(([name, all]) => [name, name === set ? new Map() : all])) };
}

function withRules(table: ListedTable, chain: string, rules: (string | undefined)[]): ListedTable {
  const { hook } = table.chains.get(chain) ?? {};
  return { ...table, chains: new Map([...table.chains, [chain, { ...(hook === undefined ? {} : { hook }), rules }]]) };
}

describe('a table that is whole', () => {
  it.each(CASES)('has nothing missing, orphaned or to do for $name', ({ intents }) => {
    const table = whole(intents);
    expect(observeIntents(intents, table).map(({ state }) => state)).toEqual(intents.map(() => 'present'));
    expect(orphanElements(intents, table)).toEqual([]);
    expect(completion(table, intents.flatMap(elementsOf))).toBe('');
  });
});

it.each([
  [4, '10.8.0.2/32', '10.8.0.2'],
  [4, '10.8.0.0/24', '10.8.0.0/24'],
  [6, 'fd08::2/128', 'fd08::2'],
  [6, '2001:db8::/32', '2001:db8::/32'],
] as const)('an IPv%i subnet %s is an element %s, as nft lists it', (family, subnet, key) => {
  expect(elementsOf({ kind: 'hairpin', family, bridge: 'veth0', subnet }).map((element) => element.key[0])).toContain(
    key,
  );
});

describe('drift', () => {
  it('is everything where there is no table', () => {
    expect(observeIntents(NETWORK, undefined).map(({ state }) => state)).toEqual(NETWORK.map(() => 'missing'));
    expect(completion(undefined, [])).toBe(frame());
  });

  it('names the element that is missing, and completion adds just that', () => {
    const intents = [...NETWORK, publish()];
    const table = without(whole(intents), 'leave');
    expect(observeIntents(intents, table).filter(({ state }) => state !== 'present')).toEqual([
      { resource: intents[1], state: 'wrong', detail: 'leave: element "ipv4 . tsnet0" is missing' },
    ]);
    expect(completion(table, intents.flatMap(elementsOf))).toBe('add element inet tsnet leave { ipv4 . "tsnet0" }\n');
  });

  it('names a published port that leads elsewhere, and completion turns it round in one transaction', () => {
    const table = whole([...NETWORK, publish({ to: '172.17.0.9' })]);
    expect(observeIntents([publish()], table)).toEqual([
      { resource: publish(), state: 'wrong', detail: 'ports4: element "tcp . 8080" leads to 172.17.0.9 . 80' },
    ]);
    expect(completion(table, elementsOf(publish()))).toBe(
      'delete element inet tsnet ports4 { 6 . 8080 : 172.17.0.4 . 80 }\n' +
        'add element inet tsnet ports4 { 6 . 8080 : 172.17.0.4 . 80 }\n',
    );
    expect(withdrawal(table, elementsOf(publish()))).toBe('');
  });

  it.each([
    ['enter', [], 'chain enter: all rules are gone'],
    ['internal', ['internal: no way in or out'], 'chain internal: rule "within an internal network" is gone'],
    [
      'internal',
      ['within an internal network', undefined, 'internal: no way in or out'],
      'chain internal: has 1 rules that are not ours',
    ],
    [
      'internal',
      ['internal: no way in or out', 'within an internal network'],
      'chain internal: its rules are repeated or out of order',
    ],
  ])(
    'of chain %s is told once, on the first intent of a network, and the frame is written anew',
    (chain, rules, what) => {
      const table = withRules(whole(NETWORK), chain, rules);
      const [first, ...rest] = observeIntents(NETWORK, table);
      expect(first).toEqual({ resource: NETWORK[0], state: 'wrong', detail: what });
      expect(rest.map(({ state }) => state)).toEqual(['present', 'present', 'present']);
      expect(completion(table, NETWORK.flatMap(elementsOf))).toBe(frame());
    },
  );

  it('is an element that no intent explains', () => {
    const port = publish({
      family: 6,
      hostAddress: '::',
      to: 'fd00::4',
      hostPort: 7000,
      containerPort: 7000,
      count: 3,
    });
    expect(orphanElements(NETWORK, whole([...NETWORK, port]))).toEqual([
      { kind: 'rule', family: 6, table: 'inet tsnet', chain: 'ranges6', rule: '7000-7002 . tcp : fd00::4' },
    ]);
  });

  it('any element is read back as it is written', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CASES.flatMap(({ intents }) => intents.flatMap(elementsOf))), (element) => {
        expect(parseElement(element.set, elementText(element))).toEqual(element);
      }),
    );
  });
});

describe('dismantling', () => {
  it('deletes the table', () => {
    expect(dismantling(whole(NETWORK))).toBe('delete table inet tsnet\n');
    expect(dismantling(undefined)).toBe('');
  });

  it('keeps the administrator’s rules with the way into them, and what they may name', () => {
    const commands = dismantling(withRules(whole(NETWORK), 'tsnet-user', [undefined]));
    expect(commands).toContain('add rule inet tsnet forward jump tsnet-user');
    expect(commands).toContain('delete chain inet tsnet enter\n');
    expect(commands).toContain('flush set inet tsnet bridges\n');
    expect(commands).not.toMatch(/(delete|flush) chain inet tsnet tsnet-user/);
  });
});

describe('a listing', () => {
  it('is read in our spelling', () => {
    const table = parseTable([
      {
        chain: {
          family: 'inet',
          table: 'tsnet',
          name: 'guard',
          type: 'filter',
          hook: 'prerouting',
          prio: -300,
          policy: 'accept',
        },
      },
      { rule: { family: 'inet', table: 'tsnet', chain: 'guard', handle: 4, comment: 'x', expr: [] } },
      { rule: { family: 'inet', table: 'tsnet', chain: 'guard', handle: 5, expr: [] } },
      { set: { name: 'near4', elem: [{ concat: [{ prefix: { addr: '172.17.0.0', len: 16 } }, 'tsnet0'] }] } },
      { set: { name: 'theirs', elem: ['x'] } },
      { map: { name: 'ranges4', elem: [[{ concat: [{ range: [7000, 7010] }, 17] }, '172.17.0.2']] } },
      { map: { name: 'icc', elem: [[{ concat: ['ipv4', 'a', 'a'] }, { accept: null }]] } },
      {
        map: {
          name: 'ports6',
          elem: [[{ elem: { val: { concat: [132, 80] }, comment: 'c' } }, { concat: ['fd00::2', 8080] }]],
        },
      },
    ]);
    expect(table.chains.get('guard')).toEqual({ hook: 'filter prerouting -300 accept', rules: ['x', undefined] });
    expect(Object.fromEntries([...table.sets].map(([name, all]) => [name, [...all]]))).toEqual({
      near4: [['172.17.0.0/16 . tsnet0', '']],
      ranges4: [['7000-7010 . udp', '172.17.0.2']],
      icc: [['ipv4 . a . a', 'accept']],
      ports6: [['sctp . 80', 'fd00::2 . 8080']],
    });
  });
});
