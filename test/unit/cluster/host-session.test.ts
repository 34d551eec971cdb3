import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openHostSession } from '../../../src/cluster/host-session.ts';
import { hostKey, registrationKey } from '../../../src/cluster/keys.ts';
import { MemoryCluster } from '../../support/memory-cluster.ts';
import { turnedClock } from './turned-clock.ts';

const TTL_MS = 15_000;
const FIRST_RETRY_MS = 300;
const KEY = hostKey('h1');

interface Wish {
  readonly epoch?: string;
  readonly vtep?: string;
}

function sessionOf(cluster: MemoryCluster, { epoch = 'boot-1', vtep = '192.168.0.1' }: Wish = {}) {
  const store = cluster.host();
  const clock = turnedClock();
  const told: string[] = [];
  const session = openHostSession({
    store,
    hostId: 'h1',
    value: { name: 'one', vtep, port: 4789, mtu: 1500, epoch },
    ttlMs: TTL_MS,
    clock,
    onHeld: () => told.push('held'),
    onLost: (reason) => told.push(`lost: ${reason}`),
  });
  /** Time passes, and what was waiting for it is done. */
  const turn = async (ms: number): Promise<void> => {
    clock.turn(ms);
    await setImmediate();
  };
  const epochInStore = (): string | undefined => /"epoch":"([^"]*)"/.exec(cluster.contents()[KEY] ?? '')?.[1];
  return { store, clock, told, session, turn, epochInStore };
}

describe('the sign of life of a host', () => {
  it('is a key that goes with its session, and a record for good', async () => {
    const cluster = new MemoryCluster();
    const { session, told, store, epochInStore } = sessionOf(cluster);
    expect(session.isHeld()).toBe(false);
    expect(session.reason()).toMatch(/not begun/);
    await session.begin();
    await setImmediate();
    expect(told).toEqual(['held']);
    expect(session.isHeld()).toBe(true);
    expect(session.remainingMs()).toBeGreaterThan(0);
    expect(session.reason()).toBeUndefined();
    expect(epochInStore()).toBe('boot-1');
    store.loseSessions();
    expect(Object.keys(cluster.contents())).toEqual([registrationKey('h1')]);
  });

  it('is given again when it was lost, and whoever asks is told why it is not held', async () => {
    const cluster = new MemoryCluster();
    const { session, told, store, turn, epochInStore } = sessionOf(cluster);
    await session.begin();
    store.loseSessions();
    await setImmediate();
    expect(told).toEqual(['held', 'lost: the store has not heard of this host for too long']);
    expect(session.isHeld()).toBe(false);
    expect(session.remainingMs()).toBeUndefined();
    store.cut('refused');
    await turn(FIRST_RETRY_MS);
    expect(session.reason()).toMatch(/connection refused/);
    store.heal();
    // The second try comes later than the first.
    await turn(FIRST_RETRY_MS);
    expect(session.isHeld()).toBe(false);
    await turn(FIRST_RETRY_MS);
    expect(session.isHeld()).toBe(true);
    expect(told.at(-1)).toBe('held');
    expect(epochInStore()).toBe('boot-1');
  });

  it('is tried behind the scenes where the store cannot be asked at the beginning', async () => {
    const cluster = new MemoryCluster();
    const { session, told, store, turn } = sessionOf(cluster);
    store.cut('refused');
    await session.begin();
    expect(session.isHeld()).toBe(false);
    expect(session.reason()).toMatch(/connection refused/);
    store.heal();
    await turn(FIRST_RETRY_MS);
    expect(told).toEqual(['held']);
  });

  it('is taken over at once by the next daemon of the same boot', async () => {
    const cluster = new MemoryCluster();
    const before = sessionOf(cluster);
    await before.session.begin();
    await before.session.close(false);
    const after = sessionOf(cluster);
    await after.session.begin();
    expect(after.session.isHeld()).toBe(true);
    // The key is the new session's: the old one takes nothing with it.
    before.store.loseSessions();
    expect(after.epochInStore()).toBe('boot-1');
  });

  it('waits after a boot until its key from before is gone', async () => {
    const cluster = new MemoryCluster();
    const before = sessionOf(cluster);
    await before.session.begin();
    const after = sessionOf(cluster, { epoch: 'boot-2' });
    const begun = after.session.begin();
    await setImmediate();
    await after.turn(5000);
    expect(after.session.isHeld()).toBe(false);
    before.store.loseSessions();
    await after.turn(500);
    await begun;
    expect(after.epochInStore()).toBe('boot-2');
  });

  it('is refused to another machine with the same id', async () => {
    const cluster = new MemoryCluster();
    const before = sessionOf(cluster);
    await before.session.begin();
    const twin = sessionOf(cluster, { epoch: 'boot-9', vtep: '192.168.0.9' });
    await expect(twin.session.begin()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/as host h1: one \(192\.168\.0\.1\) has this id/) as unknown,
    });
    expect(before.epochInStore()).toBe('boot-1');
  });

  it('is given again where somebody deleted its key', async () => {
    const cluster = new MemoryCluster();
    const { session, told, turn, epochInStore } = sessionOf(cluster);
    await session.begin();
    await session.verify();
    expect(told).toEqual(['held']);
    cluster.transact({ expect: [], operations: [{ kind: 'delete', key: KEY }] });
    await session.verify();
    expect(told.at(-1)).toBe('lost: somebody deleted the key of this host');
    await turn(FIRST_RETRY_MS);
    expect(epochInStore()).toBe('boot-1');
  });

  it('leaves no session behind where the answer of the store was lost', async () => {
    const cluster = new MemoryCluster();
    const { session, store, turn, epochInStore } = sessionOf(cluster);
    store.loseAnswers();
    await session.begin();
    expect(session.isHeld()).toBe(false);
    expect(epochInStore()).toBeUndefined();
    await turn(FIRST_RETRY_MS);
    expect(session.isHeld()).toBe(true);
  });

  it('goes at once with a host that leaves, and in its time with a daemon that ends', async () => {
    const cluster = new MemoryCluster();
    const staying = sessionOf(cluster);
    await staying.session.begin();
    await staying.session.close(false);
    expect(staying.epochInStore()).toBe('boot-1');
    const leaving = sessionOf(cluster);
    await leaving.session.begin();
    await leaving.session.close(true);
    expect(leaving.epochInStore()).toBeUndefined();
    // Nobody tries to come back.
    await leaving.turn(60_000);
    expect(leaving.told).toEqual(['held']);
  });
});
