/**
 * Identifiers and times of creation, in Docker's forms.
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** From the kernel: node:crypto costs a command that makes one id several milliseconds of loading. */
function randomHex(bytes: number): string {
  const random = Buffer.alloc(bytes);
  const file = openSync('/dev/urandom', 'r');
  try {
    // The kernel gives up to 256 bytes in one piece (random(4)).
    readSync(file, random);
  } finally {
    closeSync(file);
  }
  return random.toString('hex');
}

/**
 * 64 random hex digits. The first twelve are never all decimal digits: an abbreviated id must not read as a number (moby's
 * stringid does the same).
 */
export function randomId(): string {
  for (;;) {
    const id = randomHex(32);
    if (!/^\d{12}/.test(id)) return id;
  }
}

export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The first twelve digits, as Docker prints ids. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** RFC 3339 in UTC with nine decimals, "2024-05-01T12:00:00.123456700Z". `unixMs` may carry a fraction. */
export function timestamp(unixMs: number): string {
  const wholeMs = Math.floor(unixMs);
  const nanoseconds = Math.min(999_999, Math.round((unixMs - wholeMs) * 1_000_000));
  return `${new Date(wholeMs).toISOString().slice(0, -1)}${String(nanoseconds).padStart(6, '0')}Z`;
}
