/**
 * Build step: an esbuild plugin that keeps commander from loading node:child_process at every start. It needs that for
 * subcommands that are programs of their own, of which tsnet has none; loading it costs a third of the start of `tsnet ls`.
 */

/** @returns {import('esbuild').Plugin} */
export function slimCommander() {
  return {
    name: 'slim-commander',
    setup(build) {
      build.onResolve({ filter: /^(node:)?child_process$/ }, ({ importer }) =>
        /[\\/]node_modules[\\/]commander[\\/]/.test(importer)
          ? { path: 'child_process', namespace: 'slim-commander' }
          : undefined,
      );
      build.onLoad({ filter: /.*/, namespace: 'slim-commander' }, () => ({
        contents: 'module.exports = {};',
        loader: 'js',
      }));
    },
  };
}
