import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import defaults from '../../../config/daemon.json' with { type: 'json' };
import schema from '../../../config/daemon.schema.json' with { type: 'json' };
import { compiledSchema } from '../../../src/config/compile-schema.js';
import { schemaFaults } from '../../../src/config/schema-check.ts';

test('the defaults fit the schema', () => {
  expect(schemaFaults(defaults)).toEqual([]);
});

test('every key says what it is for', () => {
  const silent = Object.entries(schema.properties).filter(([, key]) => !('description' in key) && !('$ref' in key));
  expect(silent).toEqual([]);
});

test('the validator that the build writes out finds the same faults', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsnet-schema-'));
  try {
    const outfile = join(folder, 'schema-check.cjs');
    await build({
      entryPoints: [new URL('../../../src/config/schema-check.ts', import.meta.url).pathname],
      outfile,
      bundle: true,
      format: 'cjs',
      platform: 'node',
      logLevel: 'silent',
      plugins: [compiledSchema()],
    });
    const compiled = createRequire(import.meta.url)(outfile) as { schemaFaults: typeof schemaFaults };
    const bad = { mtu: 'x', dns: [1], nonsense: true, 'default-address-pools': [{ base: 3 }], icc: 1 };
    expect(compiled.schemaFaults(defaults)).toEqual([]);
    expect(compiled.schemaFaults(bad)).toEqual(schemaFaults(bad));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
