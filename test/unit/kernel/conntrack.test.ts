import { describe, expect, test } from 'vitest';
import { dumpsFor } from '../../../src/kernel/conntrack.ts';
import { fits, type Flow } from '../../../src/kernel/flow-message.ts';

// A client's flow to port 8080 of the host, led to 172.17.0.2:80.
const flow: Flow = {
  family: 4,
  protocol: 17,
  originalSource: '192.0.2.7',
  originalDestination: '192.168.50.1',
  replySource: '172.17.0.2',
  originalPort: 8080,
  identity: Buffer.alloc(0),
};

describe('a flow fits a filter', () => {
  test.each([
    [{ family: 4 }, true],
    [{ family: 6 }, false],
    [{ family: 4, protocol: 'udp' }, true],
    [{ family: 4, protocol: 'tcp' }, false],
    [{ family: 4, hostPorts: [8080, 8080] }, true],
    [{ family: 4, hostPorts: [8081, 9000] }, false],
    [{ family: 4, hostPorts: [80, 8079] }, false],
    [{ family: 4, address: '172.17.0.2' }, true],
    [{ family: 4, address: '192.0.2.7' }, true],
    [{ family: 4, address: '172.17.0.3' }, false],
    [{ family: 4, protocol: 'udp', hostPorts: [8000, 8999], address: '172.17.0.2' }, true],
    [{ family: 4, protocol: 'udp', hostPorts: [8000, 8999], address: '172.17.0.9' }, false],
  ] as const)('%j: %s', (filter, expected) => {
    expect(fits(flow, filter)).toBe(expected);
  });

  test('without ports fits no port filter', () => {
    expect(fits({ ...flow, originalPort: undefined }, { family: 4, hostPorts: [0, 65535] })).toBe(false);
  });
});

describe('the dumps for filters', () => {
  test('leave out in the kernel what cannot fit', () => {
    expect(dumpsFor([{ family: 4, protocol: 'udp', hostPorts: [53, 53] }])).toEqual([{ family: 4, protocol: 'udp' }]);
    expect(dumpsFor([{ family: 6, address: 'fd00::2' }])).toEqual([
      { family: 6, source: { direction: 'original', address: 'fd00::2' } },
      { family: 6, source: { direction: 'reply', address: 'fd00::2' } },
    ]);
  });

  test('are one of everything when many would walk the table again and again', () => {
    const filters = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ family: 4, address }) as const);
    expect(dumpsFor(filters)).toEqual([{ family: 4 }]);
  });

  test('are none for no filters', () => {
    expect(dumpsFor([])).toEqual([]);
  });
});
