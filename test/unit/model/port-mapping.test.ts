import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../src/model/address.ts';
import { TsnetError } from '../../../src/model/error.ts';
import {
  formatPortColumn,
  formatPortRequest,
  formatPublishedPort,
  parseContainerPort,
  parsePortRequest,
  type PortRequest,
} from '../../../src/model/port-mapping.ts';

const tcp = { protocol: 'tcp' } as const;

const hostAddress = fc.oneof(
  fc.bigInt(0n, 2n ** 32n - 1n).map((value) => formatAddress({ family: 4, value })),
  fc.bigInt(2n ** 64n, 2n ** 128n - 1n).map((value) => formatAddress({ family: 6, value })),
);

/** `count` ports that end at 65535 at the latest. */
const portFor = (count: number): fc.Arbitrary<number> => fc.integer({ min: 1, max: 65536 - count });

const request: fc.Arbitrary<PortRequest> = fc.integer({ min: 1, max: 3000 }).chain((count) =>
  fc
    .record({
      protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
      containerPort: portFor(count),
      count: fc.constant(count),
      hostPort: fc.oneof(
        fc.constant('ephemeral' as const),
        portFor(count).map((first) => ({ first, last: first + count - 1 })),
        portFor(500).map((first) => ({ first, last: first + (count === 1 ? 499 : count - 1) })),
      ),
      address: fc.option(hostAddress, { nil: undefined }),
    })
    .filter(({ hostPort }) => hostPort === 'ephemeral' || hostPort.last <= 65535)
    .map(({ address, ...rest }) => (address === undefined ? rest : { ...rest, hostAddress: address })),
);

describe('published ports', () => {
  test('come back from their text', () => {
    fc.assert(
      fc.property(request, (any) => {
        expect(parsePortRequest(formatPortRequest(any))).toEqual(any);
      }),
    );
  });

  test('never fail with anything but a TsnetError of one line', () => {
    const near = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from('0123456789:[]./-tcpudsa')) }));
    fc.assert(
      fc.property(near, (text) => {
        try {
          parsePortRequest(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TsnetError);
        }
      }),
    );
  });

  test.each<[string, PortRequest]>([
    ['80', { ...tcp, hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    [':80', { ...tcp, hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    ['0:80', { ...tcp, hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    ['80/udp', { protocol: 'udp', hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    ['80/SCTP', { protocol: 'sctp', hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    ['8080:80', { ...tcp, hostPort: { first: 8080, last: 8080 }, containerPort: 80, count: 1 }],
    [':8080:80', { ...tcp, hostPort: { first: 8080, last: 8080 }, containerPort: 80, count: 1 }],
    ['127.0.0.1::80', { ...tcp, hostAddress: '127.0.0.1', hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    [
      '127.0.0.1:53:53/udp',
      { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: { first: 53, last: 53 }, containerPort: 53, count: 1 },
    ],
    ['[::1]:80:80', { ...tcp, hostAddress: '::1', hostPort: { first: 80, last: 80 }, containerPort: 80, count: 1 }],
    ['::1:80:80', { ...tcp, hostAddress: '::1', hostPort: { first: 80, last: 80 }, containerPort: 80, count: 1 }],
    ['[::]::80', { ...tcp, hostAddress: '::', hostPort: 'ephemeral', containerPort: 80, count: 1 }],
    [
      '[2001:DB8::0:1]:8:8',
      { ...tcp, hostAddress: '2001:db8::1', hostPort: { first: 8, last: 8 }, containerPort: 8, count: 1 },
    ],
    ['8000-8010:9000-9010', { ...tcp, hostPort: { first: 8000, last: 8010 }, containerPort: 9000, count: 11 }],
    ['8000-8010:80', { ...tcp, hostPort: { first: 8000, last: 8010 }, containerPort: 80, count: 1 }],
    ['9000-9010', { ...tcp, hostPort: 'ephemeral', containerPort: 9000, count: 11 }],
    ['1-65535:1-65535/udp', { protocol: 'udp', hostPort: { first: 1, last: 65535 }, containerPort: 1, count: 65535 }],
  ])('%s', (text, expected) => {
    expect(parsePortRequest(text)).toEqual(expected);
  });

  test.each([
    ['', 'no container port'],
    ['8080:', 'no container port'],
    ['127.0.0.1:8080:', 'no container port'],
    ['0', 'container port 0'],
    ['8080:0', 'container port 0'],
    ['8080:65536', 'above 65535'],
    ['65536:80', 'above 65535'],
    ['65530-65540:80', 'above 65535'],
    ['99999999:80', 'not a number'],
    ['http:80', '"http" is not a number'],
    ['80:http', '"http" is not a number'],
    ['-80:80', 'not a number'],
    ['+80:80', 'not a number'],
    ['8010-8000:80', 'backwards'],
    ['80:90-80', 'backwards'],
    ['8000-8010:80-81', 'must be equal'],
    ['80:80-81', 'must be equal'],
    ['0-5:80', 'port 0'],
    ['0:80-81', 'port 0'],
    ['1.2.3:80:80', 'not an IP address'],
    ['01.2.3.4:80:80', 'not an IP address'],
    ['[::1:80:80', 'not an IP address'],
    ['[127.0.0.1]:80:80', 'brackets'],
    ['[fe80::1%eth0]:80:80', 'not an IP address'],
    ['localhost:80:80', 'not an IP address'],
    ['80/icmp', 'not one of tcp, udp, sctp'],
    ['80/', 'not one of tcp, udp, sctp'],
    ['80/tcp/udp', 'more than one "/"'],
    ['80/tcp:80', 'more than one "/"|not one of'],
    ['8080: 80', 'not a number'],
  ])('%j is refused: %s', (text, why) => {
    expect(() => parsePortRequest(text)).toThrow(new RegExp(why));
    expect(() => parsePortRequest(text)).toThrow(`publish "${text}"`);
  });

  test('print as in `tsnet port` and in `tsnet ps`', () => {
    const web = { ...tcp, hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 };
    expect(formatPublishedPort(web)).toBe('80/tcp -> 0.0.0.0:8080');
    expect(formatPortColumn(web)).toBe('0.0.0.0:8080->80/tcp');
    const range = { ...tcp, hostAddress: '::', hostPort: 9000, containerPort: 8000, count: 11 };
    expect(formatPublishedPort(range)).toBe('8000-8010/tcp -> [::]:9000-9010');
    expect(formatPortColumn(range)).toBe('[::]:9000-9010->8000-8010/tcp');
  });
});

describe('a container port', () => {
  test.each([
    ['80', 80, 'tcp'],
    ['53/udp', 53, 'udp'],
    ['65535/SCTP', 65535, 'sctp'],
  ])('is read from %s', (text, port, protocol) => {
    expect(parseContainerPort(text)).toEqual({ port, protocol });
  });

  test.each(['', '0', '65536', 'a', '80/icmp', '80/tcp/x', '1-2', '-1'])('refuses %j', (text) => {
    expect(() => parseContainerPort(text)).toThrow(TsnetError);
  });
});
