import Fastify from 'fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEvents, type Events, type NetworkEvent } from '../../../src/daemon/events.ts';
import { eventFilter, eventJson, eventTime, streamEvents } from '../../../src/daemon/http/docker/event-stream.ts';
import type { Ledger } from '../../../src/model/ledger.ts';

const event: NetworkEvent = {
  action: 'connect',
  networkId: 'abc',
  attributes: { container: 'c0ffee', containerName: 'box', name: 'web', type: 'bridge' },
  timeNano: 1_700_000_000_123_456_789n,
};

describe('an event', () => {
  it('is told in the shape of Docker, its nanoseconds exact', () => {
    expect(eventJson(event)).toBe(
      '{"Type":"network","Action":"connect","Actor":{"ID":"abc","Attributes":{"container":"c0ffee","containerName":"box","name":"web","type":"bridge"}},"scope":"local","time":1700000000,"timeNano":1700000000123456789}',
    );
  });

  it.each([
    [{}, true],
    [{ type: ['network'] }, true],
    [{ type: ['container'] }, false],
    [{ event: ['create', 'connect'] }, true],
    [{ event: ['create'] }, false],
    [{ network: ['web'] }, true],
    [{ network: ['ab'] }, true],
    [{ network: ['we'] }, false],
    [{ container: ['box'], event: ['connect'] }, true],
    [{ container: ['c0f'] }, true],
    [{ container: ['other'] }, false],
    [{ label: ['name=web'] }, true],
    [{ scope: ['swarm'] }, false],
  ])('passes the filters %j: %j', (filters, passes) => {
    expect(eventFilter(filters)(event)).toBe(passes);
  });

  it('has times in seconds with decimals, or RFC 3339', () => {
    expect(eventTime('since', '1700000000')).toBe(1_700_000_000_000_000_000n);
    expect(eventTime('since', '1700000000.1')).toBe(1_700_000_000_100_000_000n);
    expect(eventTime('since', '2023-11-14T22:13:20Z')).toBe(1_700_000_000_000_000_000n);
    expect(() => eventTime('since', 'soon')).toThrow('since=soon: expected Unix seconds or an RFC 3339 time');
  });
});

describe('a stream', () => {
  let dir: string;
  let socket: string;
  let events: Events;
  const app = { close: (): Promise<void> => Promise.resolve() };

  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'tsnet-events-'));
    socket = path.join(dir, 's');
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    events = openEvents({ ledger: {} as Ledger, now: () => Date.now(), log });
    const server = Fastify();
    server.get('/events', (_request, reply) => {
      streamEvents(reply, { events, wish: { filters: {} }, now: () => Date.now() });
    });
    await server.listen({ path: socket });
    app.close = () => server.close();
  });
  afterEach(async () => {
    await events.close();
    await app.close();
    rmSync(dir, { recursive: true });
  });

  const openReader = async (): Promise<{
    readonly reader: ReturnType<typeof connect>;
    readonly seen: () => string;
  }> => {
    let seen = '';
    const reader = connect(socket);
    reader.on('error', () => undefined).on('data', (part) => (seen += part.toString()));
    reader.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => seen).toContain('200 OK');
    return { reader, seen: () => seen };
  };
  const emit = (name: string): void => {
    events.emit({ action: 'prune', networkId: '', attributes: { name } });
  };

  it('starts at once and has what happens from then on', async () => {
    emit('before');
    const { reader, seen } = await openReader();
    emit('after');
    await expect.poll(seen).toContain('"name":"after"');
    expect(seen()).not.toContain('before');
    reader.destroy();
  });

  it('is cut off when its reader does not read', async () => {
    const { reader } = await openReader();
    const closed = new Promise((resolve) => reader.once('close', resolve));
    reader.pause();
    // More than the buffers of the kernel and of the daemon hold.
    for (let index = 0; index < 100; index++) emit('x'.repeat(50_000));
    expect(events.past()).toHaveLength(100);
    reader.resume();
    await closed;
    expect(reader.bytesRead).toBeLessThan(100 * 50_000);
  });

  it('remembers the last 1,000', () => {
    for (let index = 0; index < 1100; index++) emit(String(index));
    expect(events.past()).toHaveLength(1000);
    expect(events.past()[0]?.attributes).toEqual({ name: '100' });
    const times = events.past().map(({ timeNano }) => timeNano);
    expect(new Set(times).size).toBe(1000);
  });
});
