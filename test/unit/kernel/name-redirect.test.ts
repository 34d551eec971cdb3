import { expect, it } from 'vitest';
import { iptablesText } from '../../../src/kernel/name-redirect.ts';

const OURS = (port: number): string =>
  ['udp', 'tcp']
    .map((p) => `-A TSNET-DNS -d 127.0.0.11/32 -p ${p} -m ${p} --dport 53 -j DNAT --to-destination 127.0.0.11:${port}`)
    .join('\n');
const JUMP = '-A OUTPUT -d 127.0.0.11/32 -j TSNET-DNS';

it('makes chain and jump where there is nothing, before whatever is there', () => {
  const text = iptablesText('*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -j REDIRECT\nCOMMIT\n', 50_001);
  expect(text).toBe(`*nat\n:TSNET-DNS - [0:0]\n${OURS(50_001)}\n-I OUTPUT 1 -d 127.0.0.11/32 -j TSNET-DNS\nCOMMIT\n`);
});

it('changes the port alone where the jump is there', () => {
  const text = iptablesText(`*nat\n:TSNET-DNS - [0:0]\n${JUMP}\n${OURS(50_001)}\nCOMMIT\n`, 50_002);
  expect(text).toBe(`*nat\n:TSNET-DNS - [0:0]\n${OURS(50_002)}\nCOMMIT\n`);
});

it('does nothing where all is as it should be', () => {
  expect(iptablesText(`*nat\n:TSNET-DNS - [0:0]\n${JUMP}\n${OURS(50_001)}\nCOMMIT\n`, 50_001)).toBeUndefined();
});
