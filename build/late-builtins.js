/**
 * Build step: modules of Node.js that a bare start has not loaded are loaded when something of them is used, not when the file
 * that imports them is: node:child_process costs as much as a quarter of a start, node:crypto an eighth, and most commands
 * import a file that can need them without needing them.
 */
import { spawnSync } from 'node:child_process';
import { builtinModules, createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Cheaper ways to the same thing. */
const REPLACED = {
  process: 'module.exports = process;',
  // A part looks from where its own `require` does.
  module: `exports.createRequire = (from) =>
    from.startsWith(__dirname + '/') ? require : require('node:module').createRequire(from);`,
};

/** What lmdb asks node:os for at every start, with the answers that node:os gives. */
const WITHOUT_LOADING = {
  os: `
    platform: () => process.platform,
    arch: () => process.arch,
    tmpdir: () => require('node:os').tmpdir(),
    endianness: () => new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'LE' : 'BE',
  `,
};

/** Names of the modules that every start of Node.js has loaded. */
function loadedAtStart() {
  const program = 'const loaded = process.moduleLoadList.join(); process.stdout.write(loaded)';
  const { stdout } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  return new Set(stdout.split(',').map((entry) => entry.replace(/^NativeModule /, '')));
}

/** A CommonJS module whose exports are getters. */
function lateModule(name) {
  return `
    const early = { ${WITHOUT_LOADING[name] ?? ''} };
    for (const key of ${JSON.stringify(Object.keys(require(`node:${name}`)))})
      Object.defineProperty(exports, key, { enumerable: true, get: () => early[key] ?? require('node:${name}')[key] });
  `;
}

/** @returns {import('esbuild').Plugin} */
export function lateBuiltins() {
  return {
    name: 'late-builtins',
    setup(build) {
      const early = loadedAtStart();
      build.onResolve({ filter: /^(node:)?[a-z_]+(\/[a-z]+)?$/ }, ({ path, kind, namespace }) => {
        const name = path.replace(/^node:/, '');
        if (!builtinModules.includes(name)) return undefined;
        const external = { path: `node:${name}`, external: true, sideEffects: false };
        const replaced = { path: name, namespace: 'late-builtins', sideEffects: false };
        if (namespace === 'late-builtins' || kind === 'dynamic-import') return external;
        if (name in REPLACED) return replaced;
        // A module that is itself a function, as assert, cannot be stood for by an object of getters.
        if (early.has(name) || (kind === 'require-call' && typeof require(external.path) === 'function'))
          return external;
        return replaced;
      });
      build.onLoad({ filter: /.*/, namespace: 'late-builtins' }, ({ path }) => ({
        contents: REPLACED[path] ?? lateModule(path),
      }));
    },
  };
}
