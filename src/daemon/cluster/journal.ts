/**
 * What this daemon knew of a directory of the store, in a file on exec-root: the next daemon goes on from there, without a list.
 *
 * Each batch of changes is appended before the kernel is told. So the kernel never has an entry that the file does not speak of, and
 * what was deleted last is known to the next daemon too, which removes it once more.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { StoredItem } from '../../model/cluster-store.ts';
import type { Change } from '../../cluster/mirror.ts';

interface Line {
  readonly token: string;
  readonly put: readonly StoredItem[];
  readonly deleted: readonly StoredItem[];
}

export interface Remembered {
  readonly items: readonly StoredItem[];
  readonly token: string;
  /** Deleted since the file was written anew. */
  readonly deleted: readonly StoredItem[];
}

export interface Journal {
  /** Undefined where there is nothing to go on from. */
  readonly remembered: Remembered | undefined;
  append(changes: readonly Change[], token: string): void;
  /** Writes the file anew when it has grown. */
  tidy(items: () => Iterable<StoredItem>, token: string): void;
  remove(): void;
}

/** Lines after which the file is written anew. */
const MOST_LINES = 1000;

export function openJournal(file: string): Journal {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const text = read(file);
  const lines = parsed(text);
  let count = lines.length;
  // What is appended to half a line would be lost with it.
  if (text !== '' && !text.endsWith('\n')) appendFileSync(file, '\n');
  const append = (line: Line): void => {
    appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
    count += 1;
  };
  return {
    remembered: replay(lines),
    append: (changes, token) => {
      append({
        token,
        put: changes.flatMap(({ after }) => after ?? []),
        deleted: changes.flatMap(({ before, after }) => (after === undefined && before !== undefined ? [before] : [])),
      });
    },
    tidy: (items, token) => {
      if (count < MOST_LINES) return;
      writeFileSync(`${file}.new`, `${JSON.stringify({ token, put: [...items()], deleted: [] } satisfies Line)}\n`, {
        mode: 0o600,
      });
      renameSync(`${file}.new`, file);
      count = 1;
    },
    remove: () => {
      rmSync(file, { force: true });
      count = 0;
    },
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** A daemon that is killed while it writes leaves half a line, which told the kernel nothing. */
function parsed(text: string): Line[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as Line];
    } catch {
      return [];
    }
  });
}

function replay(lines: readonly Line[]): Remembered | undefined {
  const last = lines.at(-1);
  if (last === undefined) return undefined;
  const items = new Map<string, StoredItem>();
  const deleted = new Map<string, StoredItem>();
  for (const line of lines) {
    for (const item of line.put) {
      // Where it was moved, the way to its old place is to go.
      const before = items.get(item.key);
      if (before !== undefined && before.value !== item.value) deleted.set(item.key, before);
      if (deleted.get(item.key)?.value === item.value) deleted.delete(item.key);
      items.set(item.key, item);
    }
    for (const item of line.deleted) {
      items.delete(item.key);
      deleted.set(item.key, item);
    }
  }
  return { items: [...items.values()], token: last.token, deleted: [...deleted.values()] };
}
