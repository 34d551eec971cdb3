/** What `tsnet cni install` writes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { CONFLIST, CONFLIST_FILE, conflistText } from '../../../../src/runtimes/cni/conflist.ts';
import { isVersion } from '../../../../src/runtimes/cni/spec-version.ts';

test('the example that comes with tsnet is what is installed', () => {
  const example = path.join(import.meta.dirname, '../../../../config/cni', CONFLIST_FILE);
  expect(readFileSync(example, 'utf8')).toBe(conflistText());
});

test('it names versions that the plugin speaks', () => {
  expect([CONFLIST.cniVersion, ...CONFLIST.cniVersions].filter((version) => !isVersion(version))).toEqual([]);
});
