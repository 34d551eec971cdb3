/** What every store of a cluster promises (`src/model/cluster-store.ts`), whichever it is. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_OPERATIONS, type ClusterStore, type StoreOperation } from '../../src/model/cluster-store.ts';
import { until } from './lab.ts';
import { StoreMirror } from './store-mirror.ts';

export interface StoreStage {
  /** Brings the server up. */
  readonly start: () => Promise<void>;
  /** The store as one more host has it. */
  readonly open: () => ClusterStore;
  readonly stop: () => Promise<void>;
}

/** @param shortestTtlMs The shortest time to live that the store keeps. */
export function describeClusterStore(name: string, stage: StoreStage, shortestTtlMs: number): void {
  describe(`the contract of a cluster's store: ${name}`, () => {
    const opened: ClusterStore[] = [];
    const mirrors: StoreMirror[] = [];
    let store: ClusterStore;
    let test = 0;
    /** A directory that no other test uses. */
    let dir: string;

    const open = (): ClusterStore => {
      const one = stage.open();
      opened.push(one);
      return one;
    };
    const mirror = async (of: ClusterStore, prefix = dir): Promise<StoreMirror> => {
      const one = await StoreMirror.open(of, prefix);
      mirrors.push(one);
      return one;
    };
    const put = (key: string, value: string): StoreOperation => ({ kind: 'put', key: dir + key, value });
    const write = async (...operations: readonly StoreOperation[]): Promise<void> => {
      expect(await store.transact({ expect: [], operations })).toMatchObject({ ok: true });
    };
    const revisionOf = async (key: string): Promise<string | undefined> => (await store.get(dir + key))?.revision;
    /** What is in the directory, asked anew. */
    const contents = async (prefix = dir): Promise<Readonly<Record<string, string>>> => {
      const { items } = await store.list(prefix);
      return Object.fromEntries(items.map(({ key, value }) => [key, value] as const).sort());
    };

    beforeAll(stage.start, 60_000);
    beforeEach(() => {
      dir = `ep/net${String(++test)}/`;
      store = open();
    });
    afterEach(async () => {
      for (const one of mirrors.splice(0)) one.close();
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });
    afterAll(stage.stop);

    it('keeps a value under a key, and knows when it was written', async () => {
      expect(await store.get(`${dir}a`)).toBeUndefined();
      const value = JSON.stringify({ name: 'Grüße 🐙', filler: 'x'.repeat(60_000) });
      await write(put('a', value));
      const found = await open().get(`${dir}a`);
      expect(found).toMatchObject({ key: `${dir}a`, value });
      expect(await revisionOf('a')).toBe(found?.revision);
    });

    it('gives another revision with every write, also after a deletion and for the same value', async () => {
      const seen = new Set<string | undefined>();
      for (let round = 0; round < 3; round += 1) {
        await write(put('a', '"same"'));
        seen.add(await revisionOf('a'));
        await write(put('a', '"same"'));
        seen.add(await revisionOf('a'));
        await write({ kind: 'delete', key: `${dir}a` });
      }
      expect(seen).toHaveProperty('size', 6);
    });

    it('lists what is directly in a directory, and nothing beside or below it', async () => {
      await write(put('a', '1'), put('b', '2'), put('deep/er', '3'));
      await write({ kind: 'put', key: `${dir.slice(0, -1)}0/c`, value: '4' });
      expect(await contents()).toEqual({ [`${dir}a`]: '1', [`${dir}b`]: '2' });
      expect(await contents(`${dir}deep/`)).toEqual({ [`${dir}deep/er`]: '3' });
      expect(await contents(`${dir}nobody/`)).toEqual({});
    });

    it('writes all of a transaction or nothing', async () => {
      await write(put('taken', '"a"'));
      const operations = [put('free', '"b"'), put('taken', '"b"'), { kind: 'delete', key: `${dir}x` } as const];
      const absent = { expect: [{ key: `${dir}free` }, { key: `${dir}taken` }], operations };
      expect(await store.transact(absent)).toEqual({ ok: false });
      expect(await contents()).toEqual({ [`${dir}taken`]: '"a"' });
      const revision = (await revisionOf('taken')) ?? '';
      const known = { expect: [{ key: `${dir}free` }, { key: `${dir}taken`, revision }], operations };
      expect(await store.transact(known)).toMatchObject({ ok: true });
      expect(await contents()).toEqual({ [`${dir}taken`]: '"b"', [`${dir}free`]: '"b"' });
      expect(await store.transact(known)).toEqual({ ok: false });
    });

    it('a revision that is expected of a key that is gone does not hold', async () => {
      await write(put('a', '1'));
      const revision = (await revisionOf('a')) ?? '';
      await write({ kind: 'delete', key: `${dir}a` });
      const again = { expect: [{ key: `${dir}a`, revision }], operations: [put('b', '1')] };
      expect(await store.transact(again)).toEqual({ ok: false });
    });

    it('gives one key to one of eight hosts that ask at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, host) =>
          open().transact({ expect: [{ key: `${dir}a` }], operations: [put('a', String(host))] }),
        ),
      );
      expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
      const winner = answers.findIndex(({ ok }) => ok);
      expect(await contents()).toEqual({ [`${dir}a`]: String(winner) });
    });

    it('loses no count of four hosts that count up together', async () => {
      await write(put('count', '0'));
      const countUp = async (host: ClusterStore): Promise<void> => {
        for (let done = 0; done < 10;) {
          const { value = '', revision = '' } = (await host.get(`${dir}count`)) ?? {};
          const next = {
            expect: [{ key: `${dir}count`, revision }],
            operations: [put('count', String(Number(value) + 1))],
          };
          if ((await host.transact(next)).ok) done += 1;
        }
      };
      await Promise.all(Array.from({ length: 4 }, () => countUp(open())));
      expect(await contents()).toEqual({ [`${dir}count`]: '40' });
    });

    it('takes as many operations as it says, and refuses what breaks the contract', async () => {
      const many = (count: number): StoreOperation[] =>
        Array.from({ length: count }, (_, i) => put(`k${String(i)}`, '1'));
      const claims = (count: number) => ({
        expect: many(count).map(({ key }) => ({ key })),
        operations: many(count),
      });
      expect(await store.transact(claims(MAX_OPERATIONS))).toMatchObject({ ok: true });
      expect(Object.keys(await contents())).toHaveLength(MAX_OPERATIONS);
      for (const wrong of [claims(MAX_OPERATIONS + 1), { expect: [], operations: [put('', '1')] }]) {
        await expect(store.transact(wrong)).rejects.toMatchObject({ code: 'INTERNAL' });
      }
      const large = { expect: [], operations: [put('large', 'x'.repeat(70_000))] };
      await expect(store.transact(large)).rejects.toMatchObject({ code: 'INTERNAL' });
      await expect(store.list('ep')).rejects.toMatchObject({ code: 'INTERNAL' });
    });

    it('tells a watch what happens in its directory, from the listing on', async () => {
      await write(put('old', '1'));
      const { token } = await store.list(dir);
      await write(put('between', '1'));
      const reader = await mirror(open());
      const late = await mirror(open());
      late.close();
      late.token = token;
      late.items.clear();
      late.items.set(`${dir}old`, '1');
      late.follow(store, dir);
      await write(put('a', '1'), put('deep/er', '1'));
      await write(put('a', '2'), { kind: 'delete', key: `${dir}old` });
      await write(put('last', '1'));
      const expected = { [`${dir}a`]: '2', [`${dir}between`]: '1', [`${dir}last`]: '1' };
      for (const one of [reader, late]) await until(() => one.items.has(`${dir}last`) && one.told.includes('live'));
      expect(reader.contents()).toEqual(expected);
      expect(late.contents()).toEqual(expected);
      expect(reader.told.filter((what) => what === 'live')).toHaveLength(1);
    });

    it('a watch goes on from the token of an earlier one, of this store or another', async () => {
      const first = await mirror(store);
      await write(put('a', '1'));
      await until(() => first.items.has(`${dir}a`));
      first.close();
      await write({ kind: 'delete', key: `${dir}a` }, put('b', '1'));
      for (const host of [store, open()]) {
        const second = StoreMirror.resume(first, host, dir);
        mirrors.push(second);
        await until(() => second.items.has(`${dir}b`));
        expect(second.contents()).toEqual({ [`${dir}b`]: '1' });
      }
      expect(first.contents()).toEqual({ [`${dir}a`]: '1' });
    });

    it('follows many changes of many keys from several hosts', async () => {
      const reader = await mirror(open());
      const hosts = Array.from({ length: 4 }, open);
      await Promise.all(
        hosts.map(async (host, index) => {
          for (let round = 0; round < 25; round += 1) {
            const key = `${dir}${String((index * 7 + round) % 10)}`;
            const operation: StoreOperation =
              round % 3 === 2
                ? { kind: 'delete', key }
                : { kind: 'put', key, value: `"${String(index)}/${String(round)}"` };
            await host.transact({ expect: [], operations: [operation] });
          }
        }),
      );
      await write(put('end', '1'));
      await until(() => reader.items.has(`${dir}end`));
      expect(reader.contents()).toEqual(await contents());
    });

    it('takes the keys of a session away when it ends, and no other', async () => {
      const host = open();
      const session = await host.openSession(shortestTtlMs);
      const before = session.deadline();
      expect(before).toBeGreaterThan(performance.now());
      await host.transact({
        expect: [],
        operations: [{ ...put('mine', '1'), session } as StoreOperation, put('durable', '1')],
      });
      const reader = await mirror(store);
      expect(Object.keys(reader.contents())).toHaveLength(2);
      // Kept alive past its first time to live.
      await until(() => session.deadline() > before + shortestTtlMs, 3 * shortestTtlMs);
      expect(await revisionOf('mine')).toBeDefined();
      await session.close();
      await until(() => !reader.items.has(`${dir}mine`));
      expect(await contents()).toEqual({ [`${dir}durable`]: '1' });
    });

    it('lets the session of a host that is gone run out', async () => {
      const host = stage.open();
      const session = await host.openSession(shortestTtlMs);
      await host.transact({ expect: [], operations: [{ ...put('mine', '1'), session } as StoreOperation] });
      const reader = await mirror(store);
      await host.close();
      await until(() => !reader.items.has(`${dir}mine`), shortestTtlMs + 10_000);
    });

    it('says nothing more to a watch that is closed', async () => {
      const [closed, reader] = [await mirror(store), await mirror(store)];
      closed.close();
      const heard = closed.told.length;
      await write(put('a', '1'));
      await until(() => reader.items.has(`${dir}a`));
      expect(closed.told).toHaveLength(heard);
    });

    it('tells its state', async () => {
      await store.list(dir);
      expect(store.status()).toMatchObject({ reachable: true, endpoint: expect.stringMatching(/./) as unknown });
    });
  });
}
