/**
 * Build step: names the binaries of lmdb, netlink and koffi, which stay in node_modules.
 *
 * Each of the three finds its prebuilt binary by searching folders relative to its package. In a bundle there is no package
 * folder any more, and the search costs more than the loading: the file is named, and searched for only where it is not there.
 */

/** The binary: where npm puts it unless it finds a place further up, else wherever Node.js finds it. */
const required = (file) => `
  const found = { exports: {} };
  try {
    process.dlopen(found, __dirname + '/../../node_modules/' + ${file});
    return found.exports;
  } catch {
    return require(${file});
  }
`;

const BINARIES = [
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

const KOFFI = '`@koromix/koffi-${process.platform}-${process.arch}/${process.platform}_${process.arch}/koffi.node`';

/** The package around koffi's binary adds what older versions had; nobody here uses it. */
const koffi = `
  function binary() { ${required(KOFFI)} }
  try {
    module.exports = binary();
  } catch {
    module.exports = require('koffi');
  }
`;

/** What a package's loader is replaced by: a function of no arguments that returns the binary. */
function loaderOf({ loader, from, file }) {
  return `
    function binary() { ${required(file)} }
    module.exports = () => {
      try {
        return binary();
      } catch {
        const entry = require.resolve('${from}');
        const folder = entry.slice(0, entry.lastIndexOf('/node_modules/${from}/') + ${'/node_modules/'.length + from.length});
        return require('${loader}')(folder);
      }
    };
  `;
}

/** @returns {import('esbuild').Plugin} */
export function nativeModules() {
  return {
    name: 'native-modules',
    setup(build) {
      for (const binary of BINARIES) {
        build.onResolve({ filter: new RegExp(`^${binary.loader}$`) }, ({ importer }) =>
          importer.includes(`/node_modules/${binary.from}/`)
            ? { path: binary.from, namespace: 'native-modules', pluginData: loaderOf(binary) }
            : undefined,
        );
      }
      build.onResolve({ filter: /^koffi$/ }, ({ path, namespace }) =>
        namespace === 'native-modules' ? undefined : { path, namespace: 'native-modules', pluginData: koffi },
      );
      build.onLoad({ filter: /.*/, namespace: 'native-modules' }, ({ pluginData: contents }) => ({ contents }));
      build.onResolve({ filter: /.*/, namespace: 'native-modules' }, ({ path }) => ({ path, external: true }));
      build.onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
    },
  };
}
