import path from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../support/lab.ts';

it('the demo holds, start to end', async () => {
  const demo = path.resolve(import.meta.dirname, '../support/demo.js');
  const { status, stdout } = await run(
    'unshare',
    ['--net', '--mount', '--propagation', 'private', process.execPath, demo],
    { timeoutMs: 120_000 },
  );
  expect(stdout).not.toMatch(/✗|FAILED/);
  expect(stdout).toContain('All of it held.');
  expect(status).toBe(0);
}, 130_000);
