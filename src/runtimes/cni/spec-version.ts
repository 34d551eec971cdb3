/** Versions of the CNI specification: which we speak, and what each can carry. */
import { CniError } from './cni-error.ts';

/** Ascending. Runtimes look for the exact text, no ranges. */
export const CNI_VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof CNI_VERSIONS)[number];

export const NEWEST: CniVersion = '1.1.0';

/** A configuration without a version is one of the first (libcni). */
const UNNAMED: CniVersion = '0.1.0';

export function isVersion(text: string): text is CniVersion {
  return (CNI_VERSIONS as readonly string[]).includes(text);
}

/** @throws CniError 1 for a version that we do not speak */
export function readVersion(text: string | undefined): CniVersion {
  if (text === undefined || text === '') return UNNAMED;
  if (isVersion(text)) return text;
  const known = CNI_VERSIONS.join(', ');
  throw new CniError(1, 'incompatible CNI versions', `the configuration is of ${text}, tsnet speaks ${known}`);
}

export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(least);
}
