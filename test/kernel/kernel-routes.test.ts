import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AddressResource, Plan, RouteResource, RuleResource } from '../../src/plan/resource.ts';
import { bridge, PLACE, Stage, veth } from './kernel-stage.ts';

const address = (text: string): AddressResource => ({ kind: 'address', place: PLACE, link: 'eth0', address: text });
const addresses: Plan = [address('172.30.0.2/16'), address('fd00::2/64')];
const default4: RouteResource = {
  kind: 'route',
  place: PLACE,
  family: 4,
  destination: '0.0.0.0/0',
  link: 'eth0',
  via: '172.30.0.1',
};
const default6: RouteResource = { ...default4, family: 6, destination: '::/0', via: 'fd00::1' };
const connected4: RouteResource = {
  kind: 'route',
  place: PLACE,
  family: 4,
  destination: '172.30.0.0/16',
  link: 'eth0',
};
const connected6: RouteResource = { ...connected4, family: 6, destination: 'fd00::/64' };

let stage: Stage;
beforeEach(async () => {
  stage = new Stage();
  await stage.ensure([bridge, veth, ...addresses]);
});
afterEach(() => stage.close());

const shown = (...args: string[]): Promise<string> => stage.sandbox.must('ip', args);

describe('routes', () => {
  test('are added with our protocol number, for both families', async () => {
    await stage.ensure([default4, default6]);
    expect(await shown('route')).toContain('default via 172.30.0.1 dev eth0 proto 157');
    expect(await shown('-6', 'route')).toContain('default via fd00::1 dev eth0 proto 157 metric 1024');
  });

  test('are the same when they are ensured again', async () => {
    await stage.ensure([default4, default6]);
    const before = [await shown('route'), await shown('-6', 'route')];
    await stage.ensure([default4, default6]);
    expect([await shown('route'), await shown('-6', 'route')]).toEqual(before);
  });

  test('that the kernel added with an address count, and are not added beside', async () => {
    const before = [await shown('route'), await shown('-6', 'route')];
    await stage.ensure([connected4, connected6]);
    expect(await stage.states([connected4, connected6])).toEqual(['present', 'present']);
    expect([await shown('route'), await shown('-6', 'route')]).toEqual(before);
  });

  test('of the subnet come back when somebody deleted them', async () => {
    await shown('route', 'delete', '172.30.0.0/16');
    await shown('-6', 'route', 'delete', 'fd00::/64');
    expect(await stage.states([connected4, connected6])).toEqual(['missing', 'missing']);
    await stage.ensure([connected4, connected6]);
    expect(await stage.states([connected4, connected6])).toEqual(['present', 'present']);
    expect(await shown('route')).toContain('172.30.0.0/16 dev eth0 proto 157 scope link');
  });

  test('live in a table of their own, beyond 255 too', async () => {
    const inTables: Plan = [
      { ...default4, table: 1001 },
      { ...connected4, table: 1001 },
      { ...default6, table: 7 },
    ];
    expect(await stage.states(inTables)).toEqual(['missing', 'missing', 'missing']);
    await stage.ensure(inTables);
    expect(await stage.states(inTables)).toEqual(['present', 'present', 'present']);
    expect(await shown('route', 'show', 'table', '1001')).toContain('default via 172.30.0.1');
    expect(await stage.states([default4])).toEqual(['missing']);
  });

  test('of ours that lead elsewhere are wrong in words, and replaced', async () => {
    await stage.ensure([
      { ...default4, via: '172.30.0.9' },
      { ...default6, via: 'fd00::9' },
    ]);
    expect(await stage.states([default4, default6])).toEqual([
      '0.0.0.0/0 leads via 172.30.0.9',
      '::/0 leads via fd00::9',
    ]);
    await stage.ensure([default4, default6]);
    expect(await stage.states([default4, default6])).toEqual(['present', 'present']);
    expect((await shown('route')).match(/default/g)).toHaveLength(1);
  });

  test('of somebody else are never replaced and never removed', async () => {
    await shown('route', 'add', 'default', 'via', '172.30.0.8');
    expect(await stage.states([default4])).toEqual(['0.0.0.0/0 leads via 172.30.0.8 (not of tsnet)']);
    await expect(stage.ensure([default4])).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('a route via 172.30.0.8, not of tsnet, is in its place') as string,
    });
    await stage.remove([{ ...default4, via: '172.30.0.8' }]);
    expect(await shown('route')).toContain('default via 172.30.0.8');
  });

  test('of somebody else that are right count as present', async () => {
    await shown('route', 'add', 'default', 'via', '172.30.0.1');
    await stage.ensure([default4]);
    expect(await stage.states([default4])).toEqual(['present']);
  });

  test('are removed, and removing them again succeeds', async () => {
    const plan = [default4, default6, { ...default4, table: 1001 }];
    await stage.ensure(plan);
    await stage.remove(plan);
    await stage.remove(plan);
    expect(await stage.states(plan)).toEqual(['missing', 'missing', 'missing']);
  });

  test('to a gateway that cannot be reached are refused with the reason', async () => {
    await expect(stage.ensure([{ ...default4, via: '10.77.0.1' }])).rejects.toThrow(
      /cannot add route 0.0.0.0\/0 via 10.77.0.1 dev eth0 in .*Nexthop has invalid gateway \(ENETUNREACH\)/,
    );
  });

  test('over a link that is not there are an error that names it', async () => {
    const nowhere = { ...default4, link: 'eth9' };
    await expect(stage.ensure([nowhere])).rejects.toThrow(/dev eth9 .*: there is no such link/);
    expect(await stage.states([nowhere])).toEqual(['missing']);
    await stage.remove([nowhere]);
  });
});

describe('policy rules', () => {
  const rule: RuleResource = {
    kind: 'rule',
    place: PLACE,
    family: 4,
    from: '172.30.0.2/32',
    table: 1001,
    priority: 1001,
  };
  const rule6: RuleResource = { ...rule, family: 6, from: 'fd00::2/128' };

  test('are added once with our protocol number, for both families', async () => {
    await stage.ensure([rule, rule6]);
    await stage.ensure([rule, rule6]);
    const line = /1001:\s+from 172.30.0.2 lookup 1001 proto 157/g;
    expect((await shown('rule')).match(line)).toHaveLength(1);
    expect((await shown('-6', 'rule')).match(/1001:\s+from fd00::2 lookup 1001 proto 157/g)).toHaveLength(1);
  });

  test('are observed missing and present', async () => {
    expect(await stage.states([rule, rule6])).toEqual(['missing', 'missing']);
    await stage.ensure([rule, rule6]);
    expect(await stage.states([rule, rule6, { ...rule, table: 1002 }])).toEqual(['present', 'present', 'missing']);
  });

  test('are removed, and removing them again succeeds', async () => {
    await stage.ensure([rule, rule6]);
    await stage.remove([rule, rule6]);
    await stage.remove([rule, rule6]);
    expect(await stage.states([rule, rule6])).toEqual(['missing', 'missing']);
  });

  test('of somebody else are not removed', async () => {
    await shown('rule', 'add', 'from', '172.30.0.2', 'lookup', '1001', 'priority', '1001');
    await stage.ensure([rule]);
    await stage.remove([rule]);
    expect(await shown('rule')).toContain('from 172.30.0.2 lookup 1001');
  });
});
