/**
 * What `make test` runs: every stage in order, whatever the one before said, and one closing line over all.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const reports = mkdtempSync(path.join(tmpdir(), 'tsnet-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };

/** Runs one stage with the terminal of this process. */
function stage(name, command, args) {
  const started = performance.now();
  process.stdout.write(`\n── ${name}\n`);
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`── ${name}: ${status === 0 ? 'ok' : `failed (status ${String(status)})`} in ${seconds} s\n`);
  return status === 0;
}

/** A check that either holds or does not: it counts as one test. */
function check(name, command, args) {
  if (stage(name, command, args)) totals.passed += 1;
  else totals.failed += 1;
}

/** A vitest project: its tests count one by one. A run that ends without a report counts as a failure. */
function tests(name, project, prefix = []) {
  const report = path.join(reports, `${project}.json`);
  const command = [
    ...prefix,
    'vitest',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const ok = stage(name, command[0], command.slice(1));
  let counted = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  try {
    counted = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    process.stdout.write(`${name} wrote no report\n`);
  }
  totals.passed += counted.numPassedTests;
  totals.failed += counted.numFailedTests;
  totals.skipped += counted.numPendingTests + counted.numTodoTests;
  if (!ok && counted.numFailedTests === 0) totals.failed += 1;
}

check('format', 'prettier', ['--check', '--log-level', 'warn', '.']);
check('types', 'tsc', ['-p', '.']);
check('lint', 'eslint', ['.']);
check('dead code', 'knip', []);
tests('unit tests', 'unit');
check('build', 'node', ['build.js']);
tests('kernel tests', 'kernel', ['unshare', '--net', '--mount', '--propagation', 'private']);

rmSync(reports, { recursive: true, force: true });
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exitCode = totals.failed === 0 ? 0 : 1;
