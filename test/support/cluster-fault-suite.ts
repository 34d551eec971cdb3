/** What the store of a cluster promises while its server is down or out of reach. Each real store runs it on a server of its own. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterStore, StoreOperation } from '../../src/model/cluster-store.ts';
import { TsnetError } from '../../src/model/error.ts';
import { until } from './lab.ts';
import { StoreMirror } from './store-mirror.ts';

export interface FaultStage {
  readonly start: () => Promise<void>;
  /** The store as a host has it that can be cut off, and as one that cannot. */
  readonly openWeak: () => ClusterStore;
  readonly openFirm: () => ClusterStore;
  /** Packets between the weak host and the server vanish. */
  readonly cut: () => Promise<void>;
  readonly heal: () => Promise<void>;
  /** The server dies without a word; and comes back with its data. */
  readonly kill: () => Promise<void>;
  readonly restart: () => Promise<void>;
  /** Forgets history, where the store has one. */
  readonly compact?: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface StoreTimes {
  /** The shortest time to live of a session. */
  readonly ttlMs: number;
  /** How long after its deadline the store may take to end a session. */
  readonly expiryMs: number;
  /** Until a silent cut is noticed. */
  readonly noticeMs: number;
}

/** A call that cannot be answered ends within 2 s; the rest is for a machine that is busy. */
const CALL_MS = 3_500;

export function describeClusterStoreFaults(name: string, stage: FaultStage, times: StoreTimes): void {
  describe(`a cluster's store whose server fails: ${name}`, () => {
    let weak: ClusterStore;
    let firm: ClusterStore;
    let mirror: StoreMirror;
    let test = 0;
    let dir: string;

    const write = async (store: ClusterStore, ...operations: readonly StoreOperation[]): Promise<void> => {
      expect(await store.transact({ expect: [], operations })).toMatchObject({ ok: true });
    };
    const put = (key: string): StoreOperation => ({ kind: 'put', key: dir + key, value: '1' });
    const names = (): string[] => Object.keys(mirror.contents()).map((key) => key.slice(dir.length));
    const isTold = (what: string) => () => mirror.told.includes(what);
    const refusal = async (
      attempt: Promise<unknown>,
    ): Promise<{ readonly error: TsnetError; readonly tookMs: number }> => {
      const start = performance.now();
      const error: unknown = await attempt.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(TsnetError);
      return { error: error as TsnetError, tookMs: performance.now() - start };
    };

    beforeAll(stage.start, 60_000);
    beforeEach(async () => {
      dir = `ep/fault${String(++test)}/`;
      weak = stage.openWeak();
      firm = stage.openFirm();
      await write(firm, put('before'));
      mirror = await StoreMirror.open(weak, dir);
      await until(isTold('live'));
    });
    afterEach(async () => {
      mirror.close();
      await stage.heal();
      await Promise.all([weak.close(), firm.close()]);
    });
    afterAll(stage.stop);

    it('the server is killed and comes back: calls fail at once, with a reason, and everything goes on by itself', async () => {
      const session = await weak.openSession(times.ttlMs * 5);
      await write(weak, { ...put('mine'), session } as StoreOperation);
      await until(() => names().includes('mine'));
      await stage.kill();
      await until(isTold('stale'), times.noticeMs);
      const { error, tookMs } = await refusal(weak.transact({ expect: [], operations: [put('never')] }));
      expect(tookMs).toBeLessThan(CALL_MS);
      expect(error.code).toMatch(/TIMEOUT|RUNTIME/);
      expect(error.message).toMatch(/^cluster store .*write ep\/fault.*; is .*\?$/);
      expect(weak.status()).toMatchObject({ reachable: false, reason: expect.stringMatching(/./) as unknown });
      mirror.told.length = 0;
      await stage.restart();
      await until(isTold('live'), 20_000);
      await until(
        () =>
          firm
            .list(dir)
            .then(() => true)
            .catch(() => false),
        20_000,
      );
      await write(firm, put('after'));
      await until(() => names().includes('after'));
      expect(names()).toEqual(['after', 'before', 'mine']);
      expect(weak.status()).toMatchObject({ reachable: true });
      const kept = session.deadline();
      await until(() => session.deadline() > kept, times.ttlMs * 5);
      await session.close();
    });

    it('a host is cut off silently: it notices, its calls end in time, and it sees afterwards what it missed', async () => {
      await write(firm, put('old'));
      await until(() => names().includes('old'));
      await stage.cut();
      const { error, tookMs } = await refusal(weak.get(`${dir}old`));
      expect(tookMs).toBeLessThan(CALL_MS);
      expect(error.code).toMatch(/TIMEOUT|RUNTIME/);
      await until(isTold('stale'), times.noticeMs);
      await write(firm, put('new'), { kind: 'delete', key: `${dir}old` });
      mirror.told.length = 0;
      await stage.heal();
      await until(isTold('live'), 20_000);
      await until(() => names().includes('new'));
      expect(names()).toEqual(['before', 'new']);
    });

    it('a silent cut is noticed by a host that asks nothing', async () => {
      await stage.cut();
      await until(isTold('stale'), times.noticeMs);
      expect(weak.status()).toMatchObject({ reachable: false });
      await stage.heal();
      await until(() => mirror.told.at(-1) === 'live', 20_000);
    });

    it.skipIf(stage.compact === undefined)(
      'history is forgotten while a host is cut off: it is told everything',
      async () => {
        await write(firm, put('old'));
        await until(() => names().includes('old'));
        await stage.cut();
        await until(isTold('stale'), times.noticeMs);
        await write(firm, put('new'), { kind: 'delete', key: `${dir}old` });
        await stage.compact?.();
        mirror.told.length = 0;
        await stage.heal();
        await until(isTold('reset'), 20_000);
        await until(isTold('live'), 20_000);
        expect(names()).toEqual(['before', 'new']);
        await write(firm, put('later'));
        await until(() => names().includes('later'));
      },
    );

    it('the session of a host that is cut off is lost at its deadline, and its keys go', async () => {
      const session = await weak.openSession(times.ttlMs);
      await write(weak, { ...put('mine'), session } as StoreOperation);
      const reader = await StoreMirror.open(firm, dir);
      await stage.cut();
      let lostAt: number | undefined;
      void session.lost.then(() => (lostAt = performance.now()));
      await until(() => lostAt !== undefined, times.ttlMs + times.noticeMs + 5_000);
      // Never later than the store takes it away: then another host may hold what was ours.
      expect(lostAt).toBeGreaterThanOrEqual(session.deadline() - 5);
      expect(lostAt).toBeLessThan(session.deadline() + 1_000);
      await until(() => !reader.items.has(`${dir}mine`), times.expiryMs);
      reader.close();
      await stage.heal();
      await until(() => !names().includes('mine'), 20_000);
      expect(names()).toEqual(['before']);
      // The host goes on under another session.
      const next = await weak.openSession(times.ttlMs);
      await write(weak, { ...put('mine'), session: next } as StoreOperation);
      await until(() => names().includes('mine'));
      await next.close();
    });
  });
}
