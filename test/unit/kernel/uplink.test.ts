import { expect, it } from 'vitest';
import { uplinkIn } from '../../../src/kernel/uplink.ts';

const IPV4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0
tsnet0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
`;

const ZERO = '00000000000000000000000000000000';
const IPV6 = `fd000000000000000000000000000000 40 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001       e0
${ZERO} 00 ${ZERO} 00 fd000000000000000000000000000002 00000400 00000001 00000000 00000003       e0
${ZERO} 00 ${ZERO} 00 ${ZERO} 00000005 00000001 00000000 00200200       lo
${ZERO} 00 ${ZERO} 00 fd000000000000000000000000000003 00000200 00000001 00000000 00000003      wg0
`;

it('is the link of the preferred default route; "unreachable" is no way', () => {
  expect(uplinkIn(4, IPV4)).toBe('eth0');
  expect(uplinkIn(6, IPV6)).toBe('wg0');
});

it('is nothing where no default route leads anywhere', () => {
  expect(uplinkIn(4, IPV4.split('\n').slice(3).join('\n'))).toBeUndefined();
  expect(uplinkIn(6, IPV6.split('\n')[0] ?? '')).toBeUndefined();
});
