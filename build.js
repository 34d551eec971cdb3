/**
 * Bundles the entry points into dist/: one CommonJS file each, so that a start reads one file and evaluates only the modules
 * that the verb needs. Native modules stay in node_modules and are loaded from there.
 */
import { build } from 'esbuild';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { slimCommander } from './src/cli/slim-commander.js';
import { compiledSchema } from './src/config/compile-schema.js';

const root = import.meta.dirname;
const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;

/**
 * lmdb and netlink find their prebuilt binary through node-gyp-build, which searches folders relative to the package. In a
 * bundle there is no package folder any more: the loader is asked to search from the package's own place instead.
 */
const nativeModules = {
  name: 'native-modules',
  setup(bundle) {
    const owners = [
      { importer: /node_modules\/lmdb\//, loader: 'node-gyp-build-optional-packages', from: 'lmdb' },
      { importer: /node_modules\/netlink\//, loader: 'node-gyp-build', from: 'netlink' },
    ];
    for (const { importer, loader, from } of owners) {
      bundle.onResolve({ filter: new RegExp(`^${loader}$`) }, (args) =>
        importer.test(args.importer)
          ? { path: from, namespace: 'native-loader', pluginData: { loader, from } }
          : undefined,
      );
    }
    bundle.onLoad({ filter: /.*/, namespace: 'native-loader' }, ({ pluginData: { loader, from } }) => ({
      loader: 'js',
      resolveDir: root,
      contents: `
        const entry = require.resolve('${from}');
        const folder = entry.slice(0, entry.lastIndexOf('/node_modules/${from}/') + ${'/node_modules/'.length + from.length});
        module.exports = () => require('${loader}')(folder);
      `,
    }));
    bundle.onResolve(
      { filter: /^(koffi|node-gyp-build|node-gyp-build-optional-packages|msgpackr-extract)$/ },
      (args) =>
        args.namespace === 'native-loader' || !/^node-gyp/.test(args.path)
          ? { path: args.path, external: true }
          : undefined,
    );
    // What the loader asks for at run time to find the package's folder.
    bundle.onResolve({ filter: /^(lmdb|netlink)$/ }, (args) =>
      args.namespace === 'native-loader' ? { path: args.path, external: true } : undefined,
    );
    bundle.onResolve({ filter: /\.node$/ }, (args) => ({ path: args.path, external: true }));
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
    bundle.onResolve({ filter: /^(lmdb|msgpackr|ordered-binary|weak-lru-cache)$/ }, (args) =>
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

// Built beside and moved into place, so that a tsnet that starts meanwhile finds the old file or the new one.
const dist = path.join(root, 'dist');
mkdirSync(dist, { recursive: true });
const fresh = mkdtempSync(path.join(dist, '.build-'));
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
await build({
  entryPoints: Object.fromEntries(Object.entries(entries).map(([name, source]) => [name, path.join(root, source)])),
  outdir: fresh,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // lmdb evaluates source text that names its local variables: identifiers must keep their names.
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: false,
  keepNames: false,
  legalComments: 'none',
  // A stack trace quotes one line of the source.
  lineLimit: 160,
  sourcemap: false,
  logLevel: 'warning',
  banner: { js: `#!/usr/bin/env node\nconst __bundleUrl=require('node:url').pathToFileURL(__filename).href;` },
  define: {
    'import.meta.url': '__bundleUrl',
    'import.meta.dirname': '__dirname',
    TSNET_VERSION: JSON.stringify(version),
  },
  plugins: [compiledSchema(), slimCommander(), ownScopes, nativeModules],
});
// The package is ESM; the bundles are not.
writeFileSync(path.join(fresh, 'package.json'), '{ "type": "commonjs" }\n');
for (const name of Object.keys(entries)) chmodSync(path.join(fresh, `${name}.js`), 0o755);
for (const file of ['package.json', ...Object.keys(entries).map((name) => `${name}.js`)]) {
  renameSync(path.join(fresh, file), path.join(dist, file));
}
