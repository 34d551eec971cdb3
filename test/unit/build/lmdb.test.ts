import { build } from 'esbuild';
import fc from 'fast-check';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lmdb } from '../../../build/lmdb.js';

interface Keys {
  readonly toBufferKey: (key: unknown) => Buffer;
  readonly fromBufferKey: (bytes: Buffer) => unknown;
}

const folder = mkdtempSync(path.join(tmpdir(), 'tsnet-keys-'));
const require = createRequire(import.meta.url);
const original = createRequire(require.resolve('lmdb'))('ordered-binary') as Keys;
let bundled: Keys;

beforeAll(async () => {
  const outfile = path.join(folder, 'keys.cjs');
  await build({
    stdin: {
      contents: `export { toBufferKey, fromBufferKey } from 'ordered-binary';`,
      resolveDir: import.meta.dirname,
    },
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    logLevel: 'silent',
    plugins: [lmdb()],
  });
  bundled = require(outfile) as Keys;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('the bundle reads every key as the package does', { timeout: 60_000 }, () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
  );
  const key = fc.oneof(text, fc.array(fc.oneof(text, fc.integer()), { minLength: 2, maxLength: 4 }));
  fc.assert(
    fc.property(key, (wanted) => {
      const bytes = original.toBufferKey(wanted);
      expect(bundled.toBufferKey(wanted)).toEqual(bytes);
      expect(bundled.fromBufferKey(Buffer.from(bytes))).toEqual(original.fromBufferKey(Buffer.from(bytes)));
    }),
    { numRuns: 300 },
  );
});
