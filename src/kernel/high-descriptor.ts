/**
 * Descriptors that stay open for long are kept out of the low numbers.
 *
 * libmnl, under libnftables, waits by select(2), which knows 1,024 descriptors and aborts the process at the next. A daemon with
 * two hundred sandboxes has more than that open: so those of which there is one a container live above, and below there is
 * always room for a socket of a library's.
 */
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';

/** FD_SETSIZE of glibc. */
const MOST_SELECTABLE = 1024;
const F_DUPFD_CLOEXEC = 1030;
/** What a library may open in one call. */
const SPARE = 8;

let duplicate: ((fd: number, command: number, least: number) => number) | undefined;

/** The same open file under a number that select(2) need not know; the old number is closed. As it was where the limit (ulimit -n) is lower. */
export function raised(fd: number): number {
  if (fd >= MOST_SELECTABLE) return fd;
  duplicate ??= loadDuplicate();
  const high = duplicate(fd, F_DUPFD_CLOEXEC, MOST_SELECTABLE);
  if (high < 0) return fd;
  closeSync(fd);
  return high;
}

function loadDuplicate(): NonNullable<typeof duplicate> {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return koffi.load(null).func('int fcntl(int fd, int command, long least)');
}

/** The number that the next file opened gets, if no other thread is faster. */
export function lowestFreeDescriptor(): number {
  const fd = openSync('/dev/null', 'r');
  closeSync(fd);
  return fd;
}

/** Whether a library that uses select(2) may open a socket now. */
export function hasSelectable(): boolean {
  return lowestFreeDescriptor() < MOST_SELECTABLE - SPARE;
}
