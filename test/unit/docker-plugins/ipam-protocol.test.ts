import { describe, expect, it } from 'vitest';
import { ipamPlugin } from '../../../src/docker-plugins/ipam-protocol.ts';
import type { JsonObject } from '../../../src/model/records.ts';
import { fakePlugin } from './fake-plugin.ts';

const SPACES = {
  'IpamDriver.GetDefaultAddressSpaces': { LocalDefaultAddressSpace: 'Here', GlobalDefaultAddressSpace: 'All' },
};

describe('the remote IPAM protocol', () => {
  it('asks for a pool in the local address space, which it asks for once', async () => {
    const { call, asked } = fakePlugin({
      ...SPACES,
      'IpamDriver.RequestPool': {
        PoolID: 'p1',
        Pool: '10.0.0.0/24',
        Data: { 'com.docker.network.gateway': '10.0.0.254/24' },
      },
    });
    const plugin = ipamPlugin(call, 'weave');
    const wish = { family: 4, subnet: '10.0.0.0/24', range: '10.0.0.128/25', options: { zone: 'a' } } as const;
    expect(await plugin.requestPool(wish)).toEqual({ poolId: 'p1', subnet: '10.0.0.0/24', gateway: '10.0.0.254' });
    await plugin.requestPool({ family: 6, options: {} });
    expect(asked).toEqual([
      ['IpamDriver.GetDefaultAddressSpaces', undefined],
      [
        'IpamDriver.RequestPool',
        { AddressSpace: 'Here', Pool: '10.0.0.0/24', SubPool: '10.0.0.128/25', Options: { zone: 'a' }, V6: false },
      ],
      ['IpamDriver.RequestPool', { AddressSpace: 'Here', Pool: '', SubPool: '', Options: {}, V6: true }],
    ]);
  });

  it('asks for an address, and gives it back without its length', async () => {
    const { call, asked } = fakePlugin({ 'IpamDriver.RequestAddress': { Address: '10.0.0.7/24' } });
    const plugin = ipamPlugin(call, 'weave');
    expect(await plugin.requestAddress({ poolId: 'p1', options: {} })).toBe('10.0.0.7');
    await plugin.releaseAddress('p1', '10.0.0.7');
    await plugin.releasePool('p1');
    expect(asked).toEqual([
      ['IpamDriver.RequestAddress', { PoolID: 'p1', Address: '', Options: {} }],
      ['IpamDriver.ReleaseAddress', { PoolID: 'p1', Address: '10.0.0.7' }],
      ['IpamDriver.ReleasePool', { PoolID: 'p1' }],
    ]);
  });

  it.each<[JsonObject | undefined, boolean]>([
    [{ RequiresMACAddress: true }, true],
    [{}, false],
    [undefined, false],
  ])('takes the capabilities %j', async (answer, requires) => {
    const { call } = fakePlugin({ 'IpamDriver.GetCapabilities': answer });
    expect(await ipamPlugin(call, 'weave').requiresMac()).toBe(requires);
  });

  it.each<[JsonObject, RegExp]>([
    [{ Pool: '10.0.0.0/24' }, /RequestPool: it gave no PoolID/],
    [{ PoolID: 'p1', Pool: '10.0.0.1/24' }, /RequestPool: it gave the pool "10\.0\.0\.1\/24", which is no subnet/],
  ])('refuses the pool %j', async (answer, message) => {
    const { call } = fakePlugin({ ...SPACES, 'IpamDriver.RequestPool': answer });
    await expect(ipamPlugin(call, 'weave').requestPool({ family: 4, options: {} })).rejects.toThrow(message);
  });

  it.each(['', '10.0.0.7', 'x/24'])('refuses the address %j', async (address) => {
    const { call } = fakePlugin({ 'IpamDriver.RequestAddress': { Address: address } });
    await expect(ipamPlugin(call, 'weave').requestAddress({ poolId: 'p1', options: {} })).rejects.toThrow(
      /RequestAddress: it gave .*, which is no address with a length/,
    );
  });
});
