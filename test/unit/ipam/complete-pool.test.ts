import { describe, expect, test } from 'vitest';
import { completePools, subnetFor, type PoolRequest } from '../../../src/ipam/complete-pool.ts';
import { TsnetError } from '../../../src/model/error.ts';
import type { Pool } from '../../../src/model/records.ts';

function complete(...requests: PoolRequest[]): Pool[] {
  return completePools({ requests, gateway: 'default' });
}

function refusal(...requests: PoolRequest[]): string {
  try {
    complete(...requests);
  } catch (error) {
    if (error instanceof TsnetError && error.code === 'INVALID') return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a pool', () => {
  test('gets the first address as gateway', () => {
    expect(complete({ subnet: '10.1.0.0/16' })).toEqual([{ subnet: '10.1.0.0/16', gateway: '10.1.0.1', aux: {} }]);
    expect(complete({ subnet: 'FD00:1::/64' })).toEqual([{ subnet: 'fd00:1::/64', gateway: 'fd00:1::1', aux: {} }]);
    expect(complete({ subnet: '10.1.0.0/31' })[0]?.gateway).toBe('10.1.0.0');
  });

  test('gets the first address of its range as gateway, past aux addresses', () => {
    expect(complete({ subnet: '10.1.0.0/16', range: '10.1.128.0/17' })[0]?.gateway).toBe('10.1.128.0');
    expect(complete({ subnet: '10.1.0.0/16', aux: { a: '10.1.0.1', b: '10.1.0.2' } })[0]?.gateway).toBe('10.1.0.3');
  });

  test('keeps a given gateway, inside its subnet and outside its range', () => {
    const [pool] = complete({ subnet: '192.168.1.0/24', gateway: '192.168.1.254', range: '192.168.1.0/25' });
    expect(pool).toEqual({ subnet: '192.168.1.0/24', gateway: '192.168.1.254', range: '192.168.1.0/25', aux: {} });
  });

  test('has a gateway only if given where the driver wants that', () => {
    const requests = [{ subnet: '10.1.0.0/24' }];
    expect(completePools({ requests, gateway: 'given' })[0]).not.toHaveProperty('gateway');
  });

  test('drops the host bits of a range, as Docker does with fixed-cidr', () => {
    expect(complete({ subnet: '192.168.1.0/24', range: '192.168.1.5/25' })[0]?.range).toBe('192.168.1.0/25');
  });

  test('takes its next hop from default-gateway, or from the aux address of that name', () => {
    const aux = { DefaultGatewayIPv4: '10.1.0.7' };
    expect(complete({ subnet: '10.1.0.0/24', aux })[0]).toMatchObject({ route: '10.1.0.7', gateway: '10.1.0.1', aux });
    expect(complete({ subnet: '10.1.0.0/24', route: '10.1.0.8' })[0]?.route).toBe('10.1.0.8');
    expect(complete({ subnet: 'fd01::/64', aux: { DefaultGatewayIPv6: 'fd01::7' } })[0]?.route).toBe('fd01::7');
  });

  test('writes addresses canonically', () => {
    const [pool] = complete({ subnet: 'FD01::0/64', gateway: 'FD01:0::00A', aux: { x: 'fd01:0:0:0::B' } });
    expect(pool).toEqual({ subnet: 'fd01::/64', gateway: 'fd01::a', aux: { x: 'fd01::b' } });
  });
});

describe('a pool is refused', () => {
  test.each<[string, PoolRequest]>([
    ['host bits', { subnet: '10.1.0.1/16' }],
    ['not a subnet', { subnet: '10.1.0.0' }],
    ['not a subnet', { subnet: '10.1/16' }],
    ['loopback', { subnet: '127.1.0.0/16' }],
    ['multicast', { subnet: '239.0.0.0/8' }],
    ['gateway 10.2.0.1 is outside subnet 10.1.0.0/16', { subnet: '10.1.0.0/16', gateway: '10.2.0.1' }],
    ['gateway fd00::1 is outside', { subnet: '10.1.0.0/16', gateway: 'fd00::1' }],
    ['gateway 10.1.0.0 is the network address', { subnet: '10.1.0.0/16', gateway: '10.1.0.0' }],
    ['gateway 10.1.255.255 is the broadcast address', { subnet: '10.1.0.0/16', gateway: '10.1.255.255' }],
    ['gateway "10.1" is not an IP address', { subnet: '10.1.0.0/16', gateway: '10.1' }],
    ['range 10.2.0.0/24 is not inside subnet 10.1.0.0/16', { subnet: '10.1.0.0/16', range: '10.2.0.0/24' }],
    ['range 10.0.0.0/8 is not inside', { subnet: '10.1.0.0/16', range: '10.0.0.0/8' }],
    ['range fd00::/64 is not inside', { subnet: '10.1.0.0/16', range: 'fd00::/64' }],
    ['aux address "nas" 10.2.0.1 is outside', { subnet: '10.1.0.0/16', aux: { nas: '10.2.0.1' } }],
    ['aux addresses "a" and "b" are both 10.1.0.9', { subnet: '10.1.0.0/16', aux: { a: '10.1.0.9', b: '10.1.0.9' } }],
    ['gateway and aux address "a" are both', { subnet: '10.1.0.0/16', gateway: '10.1.0.9', aux: { a: '10.1.0.9' } }],
    ['no address of 10.1.0.0/32 is left', { subnet: '10.1.0.0/32', aux: { a: '10.1.0.0' } }],
    ['default gateway 10.2.0.1 is outside', { subnet: '10.1.0.0/16', route: '10.2.0.1' }],
  ])('%s', (why, request) => {
    expect(refusal(request)).toContain(why);
  });

  test('with everything that is wrong, in one line', () => {
    const message = refusal(
      { subnet: '10.1.0.0/16', gateway: '10.2.0.1', range: '10.3.0.0/24', aux: { a: '10.4.0.1' } },
      { subnet: '10.9.0.1/16' },
    );
    for (const part of ['gateway 10.2.0.1', 'range 10.3.0.0/24', 'aux address "a"', 'no host bits']) {
      expect(message).toContain(part);
    }
    expect(message).not.toContain('\n');
  });

  test('when two subnets of one network overlap', () => {
    expect(refusal({ subnet: '10.0.0.0/8' }, { subnet: '10.1.0.0/16' })).toBe(
      'subnets 10.0.0.0/8 and 10.1.0.0/16 overlap',
    );
  });
});

describe('the subnet of an address', () => {
  test('is the one that holds it', () => {
    const subnets = ['10.1.0.0/16', 'fd01::/64'];
    expect(subnetFor(subnets, '10.1.2.3')).toBe('10.1.0.0/16');
    expect(subnetFor(subnets, 'fd01::5/96')).toBe('fd01::/64');
    expect(subnetFor(subnets, '10.2.0.0/24')).toBeUndefined();
  });
});
