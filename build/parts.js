/**
 * Build step: cuts a program in parts. The first is what every start reads; the second, everything that changes something, is
 * read when the first `import()` of one of its files is reached. What only looks at the ledger reads half the source and half
 * the code cache. A package that is reached by `import()` is a part of its own.
 */
import { build as bundle, transform } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';

const SECOND = 'second';
const DAEMON = 'daemon';

/** What only the long-lived process needs: a part that no command reads. */
const DAEMON_FILES = /^src\/daemon\//;

/** Both as esbuild prints them once types and comments are gone. */
const LATE_IMPORT = /\bimport\("([^"]+)"\)/g;
const LATE_REQUIRE = /\bcreateRequire\(import\.meta\.url\)\(\s*("[^"]+")\s*\)/g;

/** Files of the program itself that `entry` reaches by `import()`, directly or not. */
async function lateFiles({ root, entry }) {
  const { metafile } = await bundle({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    packages: 'external',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const targets = Object.values(metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ kind, external }) => kind === 'dynamic-import' && external !== true).map(({ path }) => path),
  );
  return [...new Set(targets)].sort();
}

/** What stands for an `import()`: the part is loaded, and evaluates of it what was asked for. */
function fromPart(part, target) {
  return `import("part:${part}").then((part) => part[${JSON.stringify(target)}]())`;
}

/** A part: one function for each thing that it can be asked for. `before`: the parts that are read earlier; `targets`: name → path. */
function partSource(before, targets) {
  return [
    // With the parts before it among its imports, everything that it shares with them is in those, in one piece.
    ...before.map((id) => `import ${JSON.stringify(id)};`),
    ...targets.map(([, from], index) => `const open${index} = () => require(${JSON.stringify(from)});`),
    `export { ${targets.map(([name], index) => `open${index} as ${JSON.stringify(name)}`).join(', ')} };`,
  ].join('\n');
}

/**
 * @param {{ root: string, entry: string, first: readonly string[] }} cut `first`: files that belong to the first part although
 *   they are reached by `import()`. What `entry` imports statically is in it anyway.
 * @returns {Promise<import('esbuild').Plugin>}
 */
export async function parts({ root, entry, first }) {
  const late = await lateFiles({ root, entry });
  const missing = first.filter((file) => !late.includes(file));
  if (missing.length > 0) throw new Error(`build: ${missing.join(', ')}: no import() leads there from ${entry}`);
  const daemon = late.filter((file) => DAEMON_FILES.test(file));
  const second = late.filter((file) => !first.includes(file) && !daemon.includes(file));

  const lateImport = (file, to) => {
    if (isBuiltin(to)) return `import("${to}")`;
    if (!to.startsWith('.')) return fromPart(to, to);
    const target = path.relative(root, path.resolve(path.dirname(file), to));
    const part = second.includes(target) ? SECOND : daemon.includes(target) ? DAEMON : undefined;
    return part !== undefined ? fromPart(part, target) : `Promise.resolve().then(() => require(${JSON.stringify(to)}))`;
  };
  const files = (names) => names.map((file) => [file, `./${file}`]);
  const sourceOf = (part) => {
    switch (part) {
      case SECOND:
        return partSource([`./${entry}`], files(second));
      case DAEMON:
        return partSource([`./${entry}`, `part:${SECOND}`], files(daemon));
      default:
        return partSource([`./${entry}`], [[part, part]]);
    }
  };
  return {
    name: 'parts',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        if (file.includes('/node_modules/')) return undefined;
        const { code } = await transform(await readFile(file, 'utf8'), { loader: 'ts', target: 'es2023' });
        const contents = code
          .replace(LATE_IMPORT, (_, to) => lateImport(file, to))
          // As `require` the bundler sees it, and takes the package in.
          .replace(LATE_REQUIRE, (_, name) => `require(${name})`);
        return { contents, loader: 'js', resolveDir: path.dirname(file) };
      });
      build.onResolve({ filter: /^part:/ }, ({ path }) => ({ path: path.slice('part:'.length), namespace: 'part' }));
      build.onLoad({ filter: /.*/, namespace: 'part' }, ({ path: part }) => ({
        resolveDir: root,
        contents: sourceOf(part),
      }));
    },
  };
}
