import { describe, expect, it } from 'vitest';
import { groupsOf, probeFrame, sightingIn } from '../../../src/kernel/probe-frame.ts';

const MAC = Buffer.from('0242c0a81601', 'hex');
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** A neighbour advertisement for fd22::5, as tcpdump shows one, with the checksum that nobody here reads. */
const advertisement = (hops: string, option: string): Buffer =>
  hex(`333300000001 020000000005 86dd
       6000000000203a${hops} fd220000000000000000000000000005 ff020000000000000000000000000001
       8800abcd20000000 fd220000000000000000000000000005 ${option}`);

describe('a probe', () => {
  it('for IPv4 is an ARP request from no address (RFC 5227)', () => {
    expect(probeFrame('192.168.22.200', MAC).toString('hex')).toBe(
      'ffffffffffff0242c0a816010806' + '0001080006040001' + '0242c0a8160100000000' + '000000000000c0a816c8',
    );
  });

  it('for IPv6 is a solicitation from no address to the group of the address (RFC 4862)', () => {
    // Checksum: ones' complement of ff02+1+ff00+5 (destination), 18+3a (length, protocol), 8700 and fd22+5 (message).
    expect(probeFrame('fd22::5', MAC).toString('hex')).toBe(
      '3333ff0000050242c0a8160186dd' +
        '6000000000183aff' +
        '00000000000000000000000000000000' +
        'ff0200000000000000000001ff000005' +
        '87007d7b00000000' +
        'fd220000000000000000000000000005',
    );
    expect(groupsOf('fd22::5').map((group) => group.toString('hex'))).toEqual(['333300000001', '3333ff000005']);
  });
});

describe('a frame on the segment', () => {
  it.each([
    [
      'an ARP reply',
      hex('0242c0a81601 020000000005 0806 0001080006040002 020000000005 c0a816c8 0242c0a81601 00000000'),
      { address: '192.168.22.200', mac: '02:00:00:00:00:05', says: 'claims' },
    ],
    [
      'an announcement',
      hex('ffffffffffff 020000000005 0806 0001080006040001 020000000005 c0a816c8 000000000000 c0a816c8'),
      { address: '192.168.22.200', mac: '02:00:00:00:00:05', says: 'claims' },
    ],
    ["somebody's probe", probeFrame('192.168.22.200', MAC), { address: '192.168.22.200', says: 'asks' }],
    ["somebody's IPv6 probe", probeFrame('fd22::5', MAC), { address: 'fd22::5', says: 'asks' }],
    ['an advertisement', advertisement('ff', '0201020000000009'), { mac: '02:00:00:00:00:09', says: 'claims' }],
    ['an advertisement without a MAC', advertisement('ff', ''), { mac: '02:00:00:00:00:05', says: 'claims' }],
  ])('tells who has an address: %s', (_what, frame, sighting) => {
    expect(sightingIn(frame)).toMatchObject(sighting);
  });

  it.each([
    ['an advertisement that was routed', advertisement('40', '')],
    ['a frame cut short', probeFrame('fd22::5', MAC).subarray(0, 60)],
    ['an ARP message cut short', probeFrame('10.0.0.1', MAC).subarray(0, 30)],
    ['no frame at all', Buffer.alloc(0)],
    ['something else', hex('ffffffffffff 020000000005 0800 4500')],
  ])('tells nothing: %s', (_what, frame) => {
    expect(sightingIn(frame)).toBeUndefined();
  });
});
