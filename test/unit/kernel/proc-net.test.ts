import { describe, expect, test } from 'vitest';
import { parseSctpEndpoints, parseSocketTable } from '../../../src/kernel/proc-net.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

describe('/proc/net/tcp', () => {
  test('tells listening sockets, and no others', () => {
    const table =
      HEAD +
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20001 1 0 100 0 0 10 0\n' +
      '   1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 20002 1 0 100 0 0 10 0\n';
    expect(parseSocketTable(table, 'tcp', 4)).toEqual([
      { family: 4, address: '127.0.0.1', port: 8080, inode: 20001, ipv6Only: false },
    ]);
  });

  test('tells IPv6 sockets', () => {
    const table = `${HEAD}   0: 000000FD000000000000000002000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20003 1 0 100 0 0 10 0\n`;
    expect(parseSocketTable(table, 'tcp', 6)).toMatchObject([{ address: 'fd00::2', port: 80 }]);
  });
});

test('/proc/net/udp tells sockets without a peer', () => {
  const table =
    HEAD +
    '  10: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20004 2 0 0\n' +
    '  11: 0100007F:0036 0100007F:1111 01 00000000:00000000 00:00000000 00000000     0        0 20005 2 0 0\n';
  expect(parseSocketTable(table, 'udp', 4)).toEqual([
    { family: 4, address: '0.0.0.0', port: 53, inode: 20004, ipv6Only: false },
  ]);
});

test('/proc/net/sctp/eps tells every local address of an endpoint', () => {
  const table =
    ' ENDPT     SOCK   STY SST HBKT LPORT   UID INODE LADDRS\n' +
    '00000000a 00000000b 2   10  29   3868     0 34567 *10.0.0.1 10.0.0.2 \n' +
    '00000000c 00000000d 2   10  30   3869     0 34568 0000:0000:0000:0000:0000:0000:0000:0000 \n';
  expect(parseSctpEndpoints(table)).toEqual([
    { family: 4, address: '10.0.0.1', port: 3868, inode: 34567, ipv6Only: false },
    { family: 4, address: '10.0.0.2', port: 3868, inode: 34567, ipv6Only: false },
    { family: 6, address: '::', port: 3869, inode: 34568, ipv6Only: false },
  ]);
});
