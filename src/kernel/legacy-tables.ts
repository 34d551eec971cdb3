/**
 * Legacy iptables tells nobody of changes. Where its tables are in use, what can be had without reading them is looked at a few
 * times a second: how many entries they have, and how large they are (IPT_SO_GET_INFO). Some 2 µs a table.
 *
 * A rule that is exchanged for another of its size is not noticed so; the slow compare finds it.
 */
import { closeSync, readFileSync } from 'node:fs';
import type { Watch } from '../plan/watch.ts';
import { SOCK_NONBLOCK_CLOEXEC, watchLibc } from './watch-libc.ts';

const POLL_MS = 300;
const SOCK_DGRAM = 2;
/** IPT_SO_GET_INFO, IP6T_SO_GET_INFO */
const GET_INFO = 64;
const NAME_BYTES = 32;
/** `struct ipt_getinfo` and `struct ip6t_getinfo`: name, hooks, entries, bytes. */
const INFO_BYTES = 84;

const FAMILIES = [
  { names: '/proc/thread-self/net/ip_tables_names', family: 2, level: 0 },
  { names: '/proc/thread-self/net/ip6_tables_names', family: 10, level: 41 },
] as const;

export function watchLegacyTables(onChange: () => void): Watch {
  let last = legacyTables();
  const timer = setInterval(() => {
    const now = legacyTables();
    if (now === last) return;
    last = now;
    onChange();
  }, POLL_MS).unref();
  return {
    close: () => {
      clearInterval(timer);
    },
  };
}

/** Differs when a table was changed; "" where there are none. Nothing is loaded by asking: only tables in use are named. */
export function legacyTables(): string {
  return FAMILIES.flatMap(({ names, family, level }) => {
    const tables = tableNames(names);
    if (tables.length === 0) return [];
    const libc = watchLibc();
    let fd: number;
    try {
      fd = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
    } catch {
      return [];
    }
    try {
      return tables.map((table) => {
        const info = Buffer.alloc(INFO_BYTES);
        info.write(table, 0, NAME_BYTES - 1, 'latin1');
        try {
          libc.getOption(fd, level, GET_INFO, info);
        } catch {
          return `${family} ${table}`;
        }
        return `${family} ${table} ${info.toString('hex', NAME_BYTES)}`;
      });
    } finally {
      closeSync(fd);
    }
  }).join('\n');
}

function tableNames(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\n').filter(Boolean).sort();
  } catch {
    return [];
  }
}
