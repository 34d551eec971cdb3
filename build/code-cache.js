/**
 * How a built program starts: through V8's code cache, which holds what V8 compiled when the build ran the program.
 *
 * A cache holds the functions that ran, so the build runs what should be fast and nothing else: a cache with everything in it
 * costs more to read than it saves. A cache of another V8 is refused by V8, and the part is compiled as ever.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** `entry` is the source text of the entry part, `prologue` statements that run before it. */
function program(entry, prologue) {
  return `#!/usr/bin/env node
'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const lib = __dirname + '/lib';
const parts = {};
function load(id) {
  if (!id.startsWith('./')) return require(id);
  if (id in parts) return parts[id].exports;
  const file = lib + id.slice(1);
  let cachedData;
  try {
    cachedData = readFileSync(file + '.cache');
  } catch {}
  const script = new Script(readFileSync(file, 'latin1'), { filename: 'dist/lib' + id.slice(1), cachedData });
  const part = (parts[id] = { exports: {}, script });
  script.runInThisContext()(part.exports, load, part, file, lib);
  return part.exports;
}
load.resolve = require.resolve;
${prologue}(${entry})(exports, load, module, __filename, lib);
`;
}

/**
 * dist/NAME.js: the entry part, which is little more than a call, and how it loads the parts in lib/. Node.js compiles it at
 * every start.
 */
export function starter(entry) {
  return program(entry, '');
}

/** A starter that in the end leaves a cache beside each part: of what it was given in caches, and what it compiled itself. */
function learner(entry) {
  const keepCaches = `process.on('exit', () => {
  for (const [id, { script }] of Object.entries(parts))
    require('node:fs').writeFileSync(lib + id.slice(1) + '.cache', script.createCachedData());
});
`;
  return program(entry, keepCaches);
}

/**
 * What is learnt: to list networks, and to connect a container and to disconnect it, the first time and again, with a published
 * port and without. What nobody does often (\`create\`) is left to be compiled.
 */
const LESSONS = `
tsnet() { "$NODE" "$STARTER" "$@"; }
learn() { "$NODE" "$LEARNER" "$@"; }
unshare --net sleep 30 &
tsnet create --subnet 10.99.0.0/24 lesson
for port in 65001:80 65002:80; do
  learn connect lesson pid:$!
  learn disconnect lesson pid:$!
  learn connect --publish $port lesson pid:$!
  learn disconnect lesson pid:$!
done
kill $!
learn ls
`;

/**
 * Runs the program whose parts are in `folder`/lib, in namespaces that end with it, and leaves a cache beside each part that it
 * loaded. Without the right to make namespaces it learns `ls` only.
 */
export function makeCodeCaches(folder, entry) {
  const ledger = mkdtempSync(path.join(tmpdir(), 'tsnet-build-'));
  const starterFile = path.join(folder, 'starter.js');
  const learnerFile = path.join(folder, 'learner.js');
  writeFileSync(starterFile, starter(entry));
  writeFileSync(learnerFile, learner(entry));
  // Flags of V8 are part of what a cache must match; a start has none.
  const { NODE_OPTIONS: _flags, ...env } = process.env;
  const options = {
    stdio: 'ignore',
    timeout: 60_000,
    env: {
      ...env,
      NODE: process.execPath,
      STARTER: starterFile,
      LEARNER: learnerFile,
      TSNET_DATA_ROOT: `${ledger}/lib`,
      TSNET_EXEC_ROOT: `${ledger}/run`,
      TSNET_CONFIG: `${ledger}/none`,
      TSNET_HOST: '',
    },
  };
  const namespaces = ['--net', '--mount', ...(process.getuid() === 0 ? [] : ['--user', '--map-root-user'])];
  const { status } = spawnSync('unshare', [...namespaces, 'sh', '-c', LESSONS], options);
  if (status !== 0) {
    for (const file of [starterFile, learnerFile]) spawnSync(process.execPath, [file, 'ls'], options);
  }
  for (const file of [starterFile, learnerFile, ledger]) rmSync(file, { recursive: true });
}
