/**
 * Bundles the entry points into dist/: one CommonJS file each, so that a start reads one file and evaluates only the modules
 * that the verb needs, and a starter that runs it through V8's code cache. Native modules stay in node_modules.
 */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { slimCommander } from './src/cli/slim-commander.js';
import { compiledSchema } from './src/config/compile-schema.js';

const root = import.meta.dirname;
const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;

/**
 * lmdb and netlink find their prebuilt binary by searching folders relative to the package. In a bundle there is no package
 * folder any more, and the search costs more than the loading: the file is named, and searched for only where it is not there.
 */
const nativeModules = {
  name: 'native-modules',
  setup(bundle) {
    const owners = [
      {
        from: 'lmdb',
        loader: 'node-gyp-build-optional-packages',
        file: '`@lmdb/lmdb-${process.platform}-${process.arch}/node.abi${process.versions.modules}.glibc.node`',
      },
      {
        from: 'netlink',
        loader: 'node-gyp-build',
        file: '`netlink/prebuilds/${process.platform}-${process.arch}/node.napi.node`',
      },
    ];
    for (const owner of owners) {
      bundle.onResolve({ filter: new RegExp(`^${owner.loader}$`) }, ({ importer }) =>
        importer.includes(`/node_modules/${owner.from}/`)
          ? { path: owner.from, namespace: 'native-loader', pluginData: owner }
          : undefined,
      );
    }
    bundle.onLoad({ filter: /.*/, namespace: 'native-loader' }, ({ pluginData: { loader, from, file } }) => ({
      loader: 'js',
      resolveDir: root,
      contents: `
        module.exports = () => {
          try {
            return require(${file});
          } catch {
            const entry = require.resolve('${from}');
            const folder = entry.slice(0, entry.lastIndexOf('/node_modules/${from}/') + ${'/node_modules/'.length + from.length});
            return require('${loader}')(folder);
          }
        };
      `,
    }));
    bundle.onResolve(
      { filter: /^(koffi|lmdb|netlink|node-gyp-build|node-gyp-build-optional-packages)$/ },
      ({ path: name, namespace }) =>
        namespace === 'native-loader' || name === 'koffi' ? { path: name, external: true } : undefined,
    );
    bundle.onResolve({ filter: /\.node$/ }, ({ path: file }) => ({ path: file, external: true }));
    // The encoding that lmdb uses unless told otherwise; the ledger writes JSON. Loading it costs every start several milliseconds.
    bundle.onResolve({ filter: /^msgpackr$/ }, () => ({ path: 'msgpackr', namespace: 'left-out' }));
    bundle.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ loader: 'js', contents: 'module.exports = {};' }));
  },
};

/**
 * lmdb and ordered-binary evaluate source text that names their local variables. As CommonJS each module keeps a scope of its
 * own in the bundle, with its names; as ES modules they would share one, and a name that two of them use would be changed.
 */
const ownScopes = {
  name: 'own-scopes',
  setup(bundle) {
    const require = createRequire(path.join(root, 'package.json'));
    const fromLmdb = createRequire(require.resolve('lmdb'));
    bundle.onResolve({ filter: /^(lmdb|ordered-binary|weak-lru-cache)$/ }, (args) =>
      args.namespace === 'native-loader'
        ? undefined
        : { path: (args.path === 'lmdb' ? require : fromLmdb).resolve(args.path) },
    );
  },
};

/** Entry points: dist name → source. */
const entries = {
  tsnet: 'src/cli/main.ts',
  ...(process.argv.includes('--bench') ? { bench: 'bench/main.ts' } : {}),
};

/**
 * dist/NAME.js: runs the bundle through V8's code cache, which the build made by running it once. A start then compiles
 * next to nothing. A cache of another V8 is refused by V8 and the bundle compiled as ever.
 */
const starter = (name) => `#!/usr/bin/env node
'use strict';
const { readFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const vm = require('node:vm');
const file = __dirname + '/lib/${name}.cjs';
let cachedData;
try {
  cachedData = readFileSync(__dirname + '/lib/${name}.cache');
} catch {}
const script = new vm.Script(wrap(readFileSync(file, 'latin1')), {
  filename: file,
  cachedData,
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
script.runInThisContext()(exports, createRequire(file), module, file, __dirname + '/lib');
`;

/** Runs the bundle as a start of `tsnet ls` would, in a ledger of its own, and keeps what V8 compiled on the way. */
function makeCodeCache(folder, name) {
  const ledger = mkdtempSync(path.join(tmpdir(), 'tsnet-build-'));
  const program = `
    const { readFileSync, writeFileSync } = require('node:fs');
    const { createRequire, wrap } = require('node:module');
    const vm = require('node:vm');
    const file = ${JSON.stringify(path.join(folder, 'lib', `${name}.cjs`))};
    const script = new vm.Script(wrap(readFileSync(file, 'latin1')), { filename: file, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
    process.argv = [process.execPath, 'tsnet', 'ls'];
    process.on('exit', () => writeFileSync(file.replace('.cjs', '.cache'), script.createCachedData()));
    script.runInThisContext()({}, createRequire(file), { exports: {} }, file, ${JSON.stringify(path.join(folder, 'lib'))});
  `;
  // Twice: the first start makes the default network, which no later one does; the second one's cache stays.
  for (let start = 0; start < 2; start += 1)
    spawnSync(process.execPath, ['-e', program], {
      stdio: 'ignore',
      env: {
        ...process.env,
        TSNET_DATA_ROOT: `${ledger}/lib`,
        TSNET_EXEC_ROOT: `${ledger}/run`,
        TSNET_CONFIG: `${ledger}/none`,
      },
    });
  rmSync(ledger, { recursive: true, force: true });
}

// Built beside and moved into place, so that a tsnet that starts meanwhile finds the old file or the new one.
const dist = path.join(root, 'dist');
mkdirSync(path.join(dist, 'lib'), { recursive: true });
const fresh = mkdtempSync(path.join(dist, '.build-'));
mkdirSync(path.join(fresh, 'lib'));
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
await build({
  entryPoints: Object.fromEntries(Object.entries(entries).map(([name, source]) => [name, path.join(root, source)])),
  outdir: path.join(fresh, 'lib'),
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // The starter's script has no loader for import(): what is imported late becomes a require at that time.
  supported: { 'dynamic-import': false },
  // lmdb evaluates source text that names its local variables: identifiers must keep their names.
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: false,
  // Every byte a character: the starter reads it without decoding.
  charset: 'ascii',
  legalComments: 'none',
  // A stack trace quotes one line of the source.
  lineLimit: 160,
  logLevel: 'warning',
  banner: { js: "const __bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
  define: {
    'import.meta.url': '__bundleUrl',
    'import.meta.dirname': '__dirname',
    TSNET_VERSION: JSON.stringify(version),
  },
  plugins: [compiledSchema(), slimCommander(), ownScopes, nativeModules],
});
// The package is ESM; the bundles are not.
writeFileSync(path.join(fresh, 'package.json'), '{ "type": "commonjs" }\n');
const files = ['package.json'];
for (const name of Object.keys(entries)) {
  writeFileSync(path.join(fresh, `${name}.js`), starter(name));
  chmodSync(path.join(fresh, `${name}.js`), 0o755);
  files.push(`lib/${name}.cjs`);
  if (name === 'tsnet') {
    makeCodeCache(fresh, name);
    files.push(`lib/${name}.cache`);
  }
  files.push(`${name}.js`);
}
for (const file of files) {
  if (existsSync(path.join(fresh, file))) renameSync(path.join(fresh, file), path.join(dist, file));
}
