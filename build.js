/**
 * Bundles the entry points into dist/: for each a starter, and the parts of its program in lib/ with a code cache beside them.
 * Native modules stay in node_modules.
 */
import { build, transform } from 'esbuild';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { makeCodeCaches, starter } from './build/code-cache.js';
import { BENCH, ENTRIES, SIM } from './build/entries.js';
import { lateBuiltins } from './build/late-builtins.js';
import { lmdb } from './build/lmdb.js';
import { nativeModules } from './build/native-modules.js';
import { parts } from './build/parts.js';
import { buildPublicEntries, PUBLIC_FILES } from './build/public-entries.js';
import { compiledSchema } from './src/config/compile-schema.js';

const root = import.meta.dirname;
const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;

const entries = process.argv.includes('--bench') ? [...ENTRIES, BENCH, SIM] : ENTRIES;

const output = {
  // A name in a stack trace is a name in the source.
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: false,
  // Every byte a character: the starter reads it without decoding.
  charset: 'ascii',
  legalComments: 'none',
  // A stack trace quotes one line of the source.
  lineLimit: 160,
  logLevel: 'warning',
  target: 'node20',
};

/** Stands for `performance.now`: the same clock, without the dozen modules behind the global `performance`. */
const MONOTONIC = 'const monotonicMilliseconds=()=>Number(process.hrtime.bigint())/1e6;';

/** The parts of a program: file name → source text, a function of exports, require, module, __filename and __dirname. */
async function partsOf({ name, source, first }) {
  const { outputFiles } = await build({
    ...output,
    entryPoints: { [name]: path.join(root, source) },
    outdir: path.join(root, 'dist', 'lib'),
    outExtension: { '.js': '.cjs' },
    entryNames: '[name]',
    chunkNames: `${name}-[name]-[hash]`,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    write: false,
    define: {
      'performance.now': 'monotonicMilliseconds',
      'import.meta.url': '__filename',
      'import.meta.dirname': '__dirname',
      TSNET_VERSION: JSON.stringify(version),
    },
    plugins: [compiledSchema(), await parts({ root, entry: source, first }), lateBuiltins(), lmdb(), nativeModules()],
  });
  const wrapped = outputFiles.map(async ({ path: file, text }) => {
    const { code } = await transform(text, {
      ...output,
      format: 'cjs',
      platform: 'node',
      // The starter's scripts have no loader for import(): what is imported late becomes a require at that time.
      supported: { 'dynamic-import': false },
    });
    // The parts know each other's exports by name; a copy of them for other importers would cost every start.
    const lean = code.replace('module.exports=__toCommonJS(stdin_exports)', 'module.exports=stdin_exports');
    return [path.basename(file), `(function(exports,require,module,__filename,__dirname){${MONOTONIC}${lean}\n})`];
  });
  return new Map(await Promise.all(wrapped));
}

// Built beside and moved into place, so that a tsnet that starts meanwhile finds the old file or the new one.
const dist = path.join(root, 'dist');
mkdirSync(path.join(dist, 'lib'), { recursive: true });
const fresh = mkdtempSync(path.join(dist, '.build-'));
mkdirSync(path.join(fresh, 'lib'));
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
// The package is ESM; the bundles are not.
writeFileSync(path.join(fresh, 'package.json'), '{ "type": "commonjs" }\n');
for (const entry of entries) {
  const { [`${entry.name}.cjs`]: main, ...rest } = Object.fromEntries(await partsOf(entry));
  for (const [file, text] of Object.entries(rest)) writeFileSync(path.join(fresh, 'lib', file), text);
  if (entry.lessons !== undefined) makeCodeCaches(fresh, main, entry);
  writeFileSync(path.join(fresh, entry.file), starter(main));
  chmodSync(path.join(fresh, entry.file), 0o755);
}
await buildPublicEntries({ root, outdir: fresh });
const files = [...readdirSync(path.join(fresh, 'lib')).map((file) => `lib/${file}`), ...PUBLIC_FILES, 'package.json'];
for (const file of [...files, ...entries.map(({ file }) => file)]) {
  renameSync(path.join(fresh, file), path.join(dist, file));
}
// The parts of earlier builds; not the last one's, which a tsnet that started a moment ago may still load.
for (const name of readdirSync(path.join(dist, 'lib'))) {
  const file = path.join(dist, 'lib', name);
  const isOurs = entries.some((entry) => name.startsWith(`${entry.name}-`));
  if (isOurs && !files.includes(`lib/${name}`) && statSync(file).mtimeMs < Date.now() - 3_600_000) rmSync(file);
}
