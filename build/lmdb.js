/**
 * Build step: lmdb as a start wants it, without what the ledger does not use and without what V8 must work out anew each time.
 *
 * The replaced texts do the same as the original ones. One that is not there any more ends the build: look then at what the
 * new version does instead.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const fromLmdb = createRequire(require.resolve('lmdb'));

/** lmdb and its helpers in their CommonJS form. */
const FILES = new Map([
  ['lmdb', require.resolve('lmdb')],
  ['ordered-binary', fromLmdb.resolve('ordered-binary')],
  ['weak-lru-cache', fromLmdb.resolve('weak-lru-cache')],
]);

/**
 * The loop that ordered-binary unrolls into 250 lines, which it evaluates as text: faster for a million keys, and two
 * milliseconds of compiling at every start, since what is evaluated is in no code cache.
 */
const READ_STRING = `(source) => {
  const codes = [];
  for (;;) {
    let code = source[position++];
    if (code > 4) {
      if (code >= 0x80) code = finishUtf8(code, source);
    } else if (code === 4) {
      code = source[position++];
    } else {
      return fromCharCode.apply(null, codes);
    }
    codes.push(code);
  }
}`;

/**
 * Object.assign onto the prototype of a class, of which lmdb makes one for each environment. An object that has lost a property
 * is a dictionary for V8; adding forty methods to any other makes forty shapes, a fifth of a millisecond each time.
 */
const ASSIGN_METHODS = `
function assignMethods(prototype, methods) {
  prototype.lost = prototype.last = undefined;
  delete prototype.lost;
  delete prototype.last;
  return Object.assign(prototype, methods);
}
`;

/** Package → text, what stands in its place, how often it is there. */
const REPLACED = new Map([
  ['ordered-binary', [['eval(makeStringBuilder())', READ_STRING, 1]]],
  [
    'lmdb',
    [
      ['Object.assign(LMDBStore.prototype, {', 'assignMethods(LMDBStore.prototype, {', 2],
      // Where it is, for a search that native-modules.js spares it.
      [`new (require('u' + 'rl').URL)('file:' + __filename).href`, '__filename', 3],
      ['node_url.fileURLToPath(', '(', 1],
      // For a runtime whose buffers cannot decode; made for every look at a range, it costs more than the look.
      ['textDecoder = new TextDecoder()', 'textDecoder = { decode: (bytes) => new TextDecoder().decode(bytes) }', 1],
      ["'use strict';\n", `'use strict';\n${ASSIGN_METHODS}`, 1],
    ],
  ],
]);

async function replaced(file, texts) {
  let source = await readFile(file, 'utf8');
  for (const [from, to, times] of texts) {
    const pieces = source.split(from);
    if (pieces.length !== times + 1) throw new Error(`${file}: expected ${times} times: ${from}`);
    source = pieces.join(to);
  }
  return source;
}

/** @returns {import('esbuild').Plugin} */
export function lmdb() {
  return {
    name: 'lmdb',
    setup(build) {
      build.onResolve({ filter: /^(lmdb|ordered-binary|weak-lru-cache)$/ }, ({ path, namespace }) =>
        // The search for its binary is not for the bundler to follow.
        namespace === 'native-modules' ? undefined : { path: FILES.get(path), pluginData: REPLACED.get(path) },
      );
      build.onLoad({ filter: /\.cjs$/ }, async ({ path, pluginData: texts }) =>
        texts === undefined ? undefined : { contents: await replaced(path, texts) },
      );
      // The encoding that lmdb uses unless told otherwise; the ledger writes JSON. Loading it costs every start several milliseconds.
      build.onResolve({ filter: /^msgpackr$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
      build.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
    },
  };
}
