/**
 * What packages of others import (`exports` of package.json): one CommonJS file each, readable, whose names ES modules see too.
 */
import { build } from 'esbuild';
import path from 'node:path';

const ENTRIES = {
  driver: 'src/public/driver.ts',
  'driver-test': 'src/public/driver-test.ts',
};

/** Names of the files that {@link buildPublicEntries} writes. */
export const PUBLIC_FILES = Object.keys(ENTRIES).map((name) => `${name}.js`);

export async function buildPublicEntries({ root, outdir }) {
  await build({
    entryPoints: Object.fromEntries(Object.entries(ENTRIES).map(([name, source]) => [name, path.join(root, source)])),
    outdir,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['ajv'],
    legalComments: 'none',
    logLevel: 'warning',
  });
}
