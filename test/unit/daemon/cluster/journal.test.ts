import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Change } from '../../../../src/cluster/mirror.ts';
import { openJournal } from '../../../../src/daemon/cluster/journal.ts';
import type { StoredItem } from '../../../../src/model/cluster-store.ts';

let dir: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'tsnet-journal-'));
  file = path.join(dir, 'cluster', 'net.journal');
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const item = (name: string, value: string, revision = '1'): StoredItem => ({ key: `ep/net/${name}`, value, revision });
const came = (after: StoredItem): Change => ({ key: after.key, after });
const went = (before: StoredItem): Change => ({ key: before.key, before });
const lines = (): number => readFileSync(file, 'utf8').trimEnd().split('\n').length;

describe('what a daemon knew of a directory', () => {
  it('is nothing at first, and the next daemon has it all', () => {
    const first = openJournal(file);
    expect(first.remembered).toBeUndefined();
    const [a, b, c] = [item('a', '1'), item('b', '1'), item('c', '1')];
    first.append([came(a), came(b)], '7');
    first.append([came(c), went(a)], '9');
    expect(openJournal(file).remembered).toEqual({ items: [b, c], token: '9', deleted: [a] });
  });

  it('goes on from a batch without changes: how far it was seen counts', () => {
    const journal = openJournal(file);
    journal.append([came(item('a', '1'))], '7');
    journal.append([], '12');
    expect(openJournal(file).remembered?.token).toBe('12');
  });

  it('has the place that something moved from among what is to be removed', () => {
    const journal = openJournal(file);
    const [before, after] = [item('a', 'on h1', '1'), item('a', 'on h2', '2')];
    journal.append([came(before)], '1');
    journal.append([{ key: after.key, before, after }], '2');
    expect(openJournal(file).remembered).toEqual({ items: [after], token: '2', deleted: [before] });
  });

  it('removes nothing that is back where it was', () => {
    const journal = openJournal(file);
    const [before, again] = [item('a', 'on h1', '1'), item('a', 'on h1', '3')];
    journal.append([came(before)], '1');
    journal.append([went(before)], '2');
    journal.append([came(again)], '3');
    expect(openJournal(file).remembered).toEqual({ items: [again], token: '3', deleted: [] });
  });

  it('does without the half line of a daemon that was killed while it wrote', () => {
    openJournal(file).append([came(item('a', '1'))], '1');
    appendFileSync(file, '{"token":"2","put":[{"key":"ep/n');
    expect(openJournal(file).remembered).toEqual({ items: [item('a', '1')], token: '1', deleted: [] });
  });

  it('is written after such a half line so that it can be read', () => {
    openJournal(file).append([came(item('a', '1'))], '1');
    appendFileSync(file, '{"token":"2","put":[{"key":"ep/n');
    openJournal(file).append([came(item('b', '1'))], '3');
    expect(openJournal(file).remembered).toEqual({ items: [item('a', '1'), item('b', '1')], token: '3', deleted: [] });
  });

  it('is written anew when it has grown, and says the same', () => {
    const journal = openJournal(file);
    const last = item('a', 'last', '1000');
    for (let revision = 1; revision <= 999; revision += 1) {
      journal.append([came(item('a', String(revision), String(revision)))], String(revision));
      journal.tidy(() => [], 'never');
    }
    expect(lines()).toBe(999);
    journal.append([came(last)], '1000');
    journal.tidy(() => [last], '1000');
    expect(lines()).toBe(1);
    expect(openJournal(file).remembered).toEqual({ items: [last], token: '1000', deleted: [] });
  });

  it('is gone with its network', () => {
    const journal = openJournal(file);
    journal.append([came(item('a', '1'))], '1');
    journal.remove();
    expect(existsSync(file)).toBe(false);
    expect(openJournal(file).remembered).toBeUndefined();
  });
});
