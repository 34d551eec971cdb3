import { describe, expect, it } from 'vitest';
import { findDrop, isOurs } from '../../../../src/firewall/foreign/foreign-drop.ts';
import type { BaseChain, ForwardRule } from '../../../../src/firewall/foreign/forward-rule.ts';
import { HOST_FACTS } from './recorded-host.ts';

const FORWARD: BaseChain = { owner: 'nft', family: 'ip', table: 'filter', name: 'FORWARD', policy: 'drop' };
const NETWORK = { family: 4, bridge: 'br0', subnet: '10.0.0.0/24' } as const;

const accept = (side: 'in' | 'out', ...names: string[]): ForwardRule => ({
  conditions: [{ kind: 'link', side, names, negated: false }],
  verdict: { kind: 'accept' },
});

describe('what is found', () => {
  const found = (base: BaseChain, ...rules: ForwardRule[]): unknown =>
    findDrop(base, new Map([[base.name, rules]]), NETWORK, HOST_FACTS);

  it('is a chain by the name that its keeper knows it by', () => {
    const chain = (base: Partial<BaseChain>): unknown => found({ ...FORWARD, ...base });
    expect(chain({ family: 'inet', table: 'guard', name: 'f' })).toMatchObject({
      drop: { chain: 'table inet guard, chain f' },
    });
    expect(chain({ owner: 'legacy' })).toMatchObject({
      drop: { chain: 'iptables-legacy table filter, chain FORWARD' },
    });
    expect(chain({ owner: 'legacy', family: 'ip6' })).toMatchObject({
      drop: { chain: 'ip6tables-legacy table filter, chain FORWARD' },
    });
  });

  it('is mended only in the way that is closed', () => {
    expect(found(FORWARD, accept('in', 'br0'))).toEqual({
      kind: 'drop',
      drop: {
        family: 4,
        bridge: 'br0',
        chain: 'table ip filter, chain FORWARD',
        why: 'policy drop',
        remedy: 'iptables -I FORWARD -o br0 -j ACCEPT',
      },
    });
  });

  it('is nothing where both ways are open, and nothing certain where one of them may be', () => {
    expect(found(FORWARD, accept('in', 'br0'), accept('out', 'br0'))).toEqual({ kind: 'pass' });
    expect(found(FORWARD, accept('in', 'br0'), accept('out', '@some'))).toEqual({ kind: 'unknown' });
  });
});

describe('with the backend iptables, a chain is ours', () => {
  const table = (base: Partial<BaseChain>, ...names: string[]): { base: BaseChain; names: Set<string> } => ({
    base: { ...FORWARD, ...base },
    names: new Set(['FORWARD', ...names]),
  });
  const nft = (...names: string[]): ReturnType<typeof table> => table({}, ...names);
  const legacy = (...names: string[]): ReturnType<typeof table> => table({ owner: 'legacy' }, ...names);

  it('where our chain is in its table, in whichever variant', () => {
    expect([isOurs(nft('TSNET-FORWARD'), [legacy()]), isOurs(legacy(), [nft('TSNET-FORWARD')])]).toEqual([true, false]);
    expect([isOurs(nft(), [legacy('TSNET-FORWARD')]), isOurs(legacy('TSNET-FORWARD'), [nft()])]).toEqual([false, true]);
    expect(isOurs(nft('TSNET-FORWARD'), [legacy('TSNET-FORWARD')])).toBe(true);
  });

  it('or may be, where our chain is nowhere in its family', () => {
    expect([isOurs(nft(), [legacy()]), isOurs(legacy(), [nft()])]).toEqual([true, true]);
    expect(isOurs(nft(), [table({ owner: 'legacy', family: 'ip6' }, 'TSNET-FORWARD')])).toBe(true);
  });

  it('never, where it is another than iptables’s FORWARD', () => {
    expect(isOurs(table({ name: 'forward' }, 'TSNET-FORWARD'), [])).toBe(false);
    expect(isOurs(table({ family: 'inet' }, 'TSNET-FORWARD'), [])).toBe(false);
  });
});
