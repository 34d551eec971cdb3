/** What `tsnet cni install` writes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { CONFLIST, CONFLIST_FILE, conflistText, executableText } from '../../../../src/runtimes/cni/conflist.ts';
import { isVersion } from '../../../../src/runtimes/cni/spec-version.ts';

test('the example that comes with tsnet is what is installed', () => {
  const example = path.join(import.meta.dirname, '../../../../config/cni', CONFLIST_FILE);
  expect(readFileSync(example, 'utf8')).toBe(conflistText());
});

test('it names versions that the plugin speaks', () => {
  expect([CONFLIST.cniVersion, ...CONFLIST.cniVersions].filter((version) => !isVersion(version))).toEqual([]);
});

describe('the executable', () => {
  test('names its interpreter and the plugin', () => {
    expect(executableText({ node: '/usr/bin/node', plugin: '/usr/lib/tsnet/dist/tsnet-cni.js' })).toBe(
      '#!/usr/bin/node\nrequire("/usr/lib/tsnet/dist/tsnet-cni.js");\n',
    );
  });

  test('is one of the shell where a first line cannot name the interpreter', () => {
    expect(executableText({ node: "/opt/my node's/node", plugin: '/x/y.js' })).toBe(
      "#!/bin/sh\nexec '/opt/my node'\\''s/node' '/x/y.js'\n",
    );
    expect(executableText({ node: `/${'n'.repeat(200)}`, plugin: '/x/y.js' })).toMatch(/^#!\/bin\/sh\n/);
  });
});
