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

/** Words of the lessons: `program` runs it as it will be installed, `learn` runs it and keeps what was compiled; $DIST has the programs built earlier. */
const WORDS = `
program() { "$NODE" "$STARTER" "$@"; }
learn() { "$NODE" "$LEARNER" "$@"; }
`;

/**
 * Runs the program whose parts are in `folder`/lib, in namespaces that end with it, and leaves a cache beside each part that it
 * loaded. Where namespaces may not be made it learns its fallback only.
 *
 * @param {string} entry source text of the entry part
 * @param {{ lessons: string, fallback: readonly string[] }} school as in entries.js
 */
export function makeCodeCaches(folder, entry, school) {
  const starterFile = path.join(folder, 'starter.js');
  const learnerFile = path.join(folder, 'learner.js');
  writeFileSync(starterFile, starter(entry));
  writeFileSync(learnerFile, learner(entry));
  // A daemon.json names its backend, so it is read as well; the one that most hosts have is learnt last.
  for (const backend of ['nftables', 'iptables']) teach(folder, { ...school, starterFile, learnerFile, backend });
  for (const file of [starterFile, learnerFile]) rmSync(file);
}

function teach(folder, { lessons, fallback, starterFile, learnerFile, backend }) {
  const ledger = mkdtempSync(path.join(tmpdir(), 'tsnet-build-'));
  const config = path.join(ledger, 'daemon.json');
  writeFileSync(config, JSON.stringify({ 'firewall-backend': backend }));
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
      DIST: folder,
      TSNET_DATA_ROOT: `${ledger}/lib`,
      TSNET_EXEC_ROOT: `${ledger}/run`,
      TSNET_CONFIG: config,
      TSNET_HOST: '',
    },
  };
  const namespaces = ['--net', '--mount', ...(process.getuid() === 0 ? [] : ['--user', '--map-root-user'])];
  const { status } = spawnSync('unshare', [...namespaces, 'sh', '-c', WORDS + lessons], options);
  if (status !== 0) {
    for (const file of [starterFile, learnerFile]) spawnSync(process.execPath, [file, ...fallback], options);
  }
  rmSync(ledger, { recursive: true });
}
