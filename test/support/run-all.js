/**
 * What `make test` runs: every stage, whatever the others said, and one closing line over all.
 *
 * Two things go on at a time, as many as the smallest machine has processors: the checks beside the unit tests, then the kernel
 * tests in parts. Each part has network and mount namespaces and a /run of its own, so none sees another.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const reports = mkdtempSync(path.join(tmpdir(), 'tsnet-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };
/** What failed and how, told again at the very end: a log is read from there. */
const failures = [];

const KERNEL_PARTS = 14;

/** Runs one stage to its end; what it writes comes out in whole lines. Resolves to whether it succeeded. */
async function stage(name, [command, ...args]) {
  const started = performance.now();
  process.stdout.write(`\n── ${name}\n`);
  const status = await new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) passOn(stream);
    child.on('error', () => resolve(127));
    child.on('close', (code) => resolve(code ?? 128));
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`── ${name}: ${status === 0 ? 'ok' : `failed (status ${String(status)})`} in ${seconds} s\n`);
  return status === 0;
}

function passOn(stream) {
  let rest = '';
  stream.setEncoding('utf8').on('data', (text) => {
    const end = (rest + text).lastIndexOf('\n') + 1;
    process.stdout.write((rest + text).slice(0, end));
    rest = (rest + text).slice(end);
  });
  stream.on('end', () => rest !== '' && process.stdout.write(`${rest}\n`));
}

/** A check that either holds or does not: it counts as one test. */
async function check(name, ...command) {
  if (await stage(name, command)) totals.passed += 1;
  else {
    totals.failed += 1;
    failures.push(name);
  }
}

/** A vitest run: its tests count one by one. One that ends without a report counts as a failure. */
async function tests(name, project, { prefix = [], options = [] } = {}) {
  const report = path.join(reports, `${name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const ok = await stage(name, [...prefix, 'vitest', 'run', '--project', project, ...reporters, ...options]);
  let counted = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
  try {
    counted = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    process.stdout.write(`${name} wrote no report\n`);
  }
  totals.passed += counted.numPassedTests;
  totals.failed += counted.numFailedTests;
  totals.skipped += counted.numPendingTests + counted.numTodoTests;
  const failed = counted.testResults.flatMap(failuresOf);
  failures.push(...failed);
  if (!ok && counted.numFailedTests === 0) {
    totals.failed += 1;
    if (failed.length === 0) failures.push(name);
  }
}

/** A file's tests that failed, or the file itself when it could not run. */
function failuresOf({ name, message, assertionResults }) {
  const file = path.relative(process.cwd(), name);
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0 && message !== '') return [`${file}\n${indented(message)}`];
  return failed.map(({ fullName, failureMessages }) => `${file}: ${fullName}\n${indented(failureMessages.join('\n'))}`);
}

const MOST_LINES = 15;

function indented(message) {
  return message.split('\n').slice(0, MOST_LINES).join('\n').replace(/^/gm, '    ');
}

async function checks() {
  await check('format', 'prettier', '--check', '--log-level', 'warn', '.');
  await check('types', 'tsc', '-p', '.');
  await check('lint', 'eslint', '.');
  await check('dead code', 'knip');
}

await Promise.all([checks(), tests('unit tests', 'unit')]);
await check('build', 'node', 'build.js');
const prefix = ['unshare', '--net', '--mount', '--propagation', 'private'];
// More parts than lanes: whoever is done takes the next, so that neither waits long for the other.
const parts = Array.from({ length: KERNEL_PARTS }, (_, index) => index + 1);
const lane = async () => {
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const options = [`--shard=${part}/${KERNEL_PARTS}`];
    await tests(`kernel tests ${part} of ${KERNEL_PARTS}`, 'kernel', { prefix, options });
  }
};
await Promise.all([lane(), lane()]);

rmSync(reports, { recursive: true, force: true });
for (const failure of failures) process.stdout.write(`\n✗ ${failure}\n`);
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exitCode = totals.failed === 0 ? 0 : 1;
