/** Versions of the Docker Engine API: which are spoken, and from which one on a thing is there. */
import { TsnetError } from '../../../model/error.ts';

/** What dockerd of 2026 speaks in matters of networks; 1.55 is the newest version that a docker CLI asks for. */
export const API_VERSION = '1.55';
/** dockerd's own floor. */
export const MIN_API_VERSION = '1.40';

function minor(version: string): number {
  const [, digits] = /^1\.(\d{1,4})$/.exec(version) ?? [];
  return digits === undefined ? Number.NaN : Number(digits);
}

export function isAtLeast(version: string, since: string): boolean {
  return minor(version) >= minor(since);
}

/** @throws TsnetError INVALID with dockerd's words where the version in a path is out of range */
export function checkApiVersion(version: string): void {
  if (version.startsWith('0.') || minor(version) < minor(MIN_API_VERSION)) {
    throw new TsnetError(
      'INVALID',
      `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  if (!isAtLeast(API_VERSION, version)) {
    throw new TsnetError(
      'INVALID',
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  }
}
