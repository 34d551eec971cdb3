/** What limits an endpoint, with the values that the reference bandwidth plugin would use. */
import { expect, test } from 'vitest';
import type { Bandwidth, Endpoint } from '../../../src/model/records.ts';
import { limitResources } from '../../../src/plan/limit-resources.ts';
import { shapeFault } from '../../../src/plan/resource-shape.ts';

const of = (bandwidth?: Bandwidth): ReturnType<typeof limitResources> =>
  limitResources({
    id: 'e1',
    hostLink: 'veth0123456789a',
    ...(bandwidth === undefined ? {} : { bandwidth }),
  } as Endpoint);

test('nothing, where nothing is limited', () => {
  expect(of()).toEqual([]);
});

test('one direction each', () => {
  // 25 ms of the rate may wait, and the burst besides.
  const bucket = { kind: 'token-bucket', bytesPerSecond: 1_000_000, burstBytes: 100_000, limitBytes: 125_000 };
  const limit = { bitsPerSecond: 8_000_000, burstBits: 800_000 };
  expect(of({ ingress: limit })).toEqual([{ ...bucket, link: 'veth0123456789a' }]);
  expect(of({ egress: limit })).toEqual([
    { kind: 'ifb', name: 'ifb0123456789a', tag: 'tsnet:limit:e1' },
    { kind: 'link-up', place: 'host', link: 'ifb0123456789a' },
    { ...bucket, link: 'ifb0123456789a' },
    { kind: 'redirect', link: 'veth0123456789a', to: 'ifb0123456789a' },
  ]);
});

test('what the kernel counts in 32 bits stays within them', () => {
  const limit = { bitsPerSecond: 400e9, burstBits: 0xffff_ffff * 8 };
  const resources = of({ ingress: limit, egress: limit });
  expect(resources.map(shapeFault)).toEqual(resources.map(() => undefined));
  expect(resources[0]).toMatchObject({ bytesPerSecond: 50e9, burstBytes: 0xffff_ffff, limitBytes: 0xffff_ffff });
});
