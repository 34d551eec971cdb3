/**
 * Identifiers and times of creation, in Docker's forms.
 */
/**
 * 64 random hex digits. The first twelve are never all decimal digits: an abbreviated id must not read as a number (moby's
 * stringid does the same).
 */
export function randomId(): string {
  // Asked for when an id is made, not when this file is read: node:crypto costs every start several milliseconds.
  const { randomBytes } = process.getBuiltinModule('node:crypto');
  for (;;) {
    const id = randomBytes(32).toString('hex');
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
