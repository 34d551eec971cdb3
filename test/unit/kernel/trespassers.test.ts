import { expect, it } from 'vitest';
import type { Flow } from '../../../src/kernel/flow-message.ts';
import { isTrespasser } from '../../../src/kernel/trespassers.ts';
import { parsePrefix } from '../../../src/model/address.ts';

const red = { prefix: parsePrefix('172.18.0.0/16'), isInternal: false };
const secret = { prefix: parsePrefix('172.20.0.0/16'), isInternal: true };
const host = new Set(['172.18.0.1', '172.19.0.1', '192.168.50.1', '127.0.0.1']);

function flow(originalSource: string, originalDestination: string, replySource = originalDestination): Flow {
  return {
    family: 4,
    protocol: 6,
    originalSource,
    originalDestination,
    replySource,
    originalPort: 80,
    identity: Buffer.alloc(0),
  };
}

it.each([
  ['from another network', flow('172.19.0.2', '172.18.0.2'), true],
  ['from outside', flow('192.168.50.9', '172.18.0.2'), true],
  ['within the network', flow('172.18.0.3', '172.18.0.2'), false],
  ['to the outside', flow('172.18.0.2', '192.0.2.1'), false],
  ['from the host, whatever its address', flow('192.168.50.1', '172.18.0.2'), false],
  ['to the host', flow('172.19.0.2', '172.18.0.1'), false],
  ['through a published port', flow('192.168.50.9', '192.168.50.1', '172.18.0.2'), false],
  ['out of an internal network', flow('172.20.0.2', '192.0.2.1'), true],
  ['into an internal network', flow('172.19.0.2', '172.20.0.2'), true],
  ['between others', flow('10.0.0.1', '10.0.0.2'), false],
])('a flow %s', (_what, one, trespasses) => {
  expect(isTrespasser(one, [red, secret], host)).toBe(trespasses);
});
