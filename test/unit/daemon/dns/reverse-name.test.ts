import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addressOfReverseName } from '../../../../src/daemon/dns/reverse-name.ts';
import { formatAddress } from '../../../../src/model/address.ts';

it('reads back every address', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.nat(0xffffffff), (v6, v4) => {
      const digits = v6.toString(16).padStart(32, '0').split('').reverse().join('.');
      expect(addressOfReverseName(`${digits}.ip6.arpa`)).toBe(formatAddress({ family: 6, value: v6 }));
      const address = formatAddress({ family: 4, value: BigInt(v4) });
      expect(addressOfReverseName(`${address.split('.').reverse().join('.')}.in-addr.arpa`)).toBe(address);
    }),
  );
});

it.each(['', 'db', '256.0.0.10.in-addr.arpa', '0.0.10.in-addr.arpa', '1.2.ip6.arpa', 'lb._dns-sd._udp.in-addr.arpa'])(
  'takes "%s" for a name',
  (name) => {
    expect(addressOfReverseName(name)).toBeUndefined();
  },
);
