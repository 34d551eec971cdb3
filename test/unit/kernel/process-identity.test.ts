import { expect, test } from 'vitest';
import { isAlive, parseProcessStat, processIdentity } from '../../../src/kernel/process-identity.ts';

const rest = '1 812 812 0 -1 4194560 2 0 0 0 0 0 0 0 20 0 1 0 4711 2875392 256 18446744073709551615';

test.each(['sh', 'tmux: server', 'a) Z 1 (b', '((', ')'])('the name "%s" does not move the fields', (name) => {
  expect(parseProcessStat(`812 (${name}) S ${rest}\n`)).toEqual({ state: 'S', startTime: 4711 });
});

test.each(['', '812', '812 (sh)', '812 (sh) S 1 2'])('"%s" is no line of /proc/PID/stat', (text) => {
  expect(parseProcessStat(text)).toBeUndefined();
});

test('this process lives, one of the same pid that started earlier does not', () => {
  const self = processIdentity(process.pid);
  expect(self?.pid).toBe(process.pid);
  expect(self !== undefined && isAlive(self)).toBe(true);
  expect(isAlive({ pid: process.pid, startTime: 1 })).toBe(false);
  expect(processIdentity(-1)).toBeUndefined();
});
