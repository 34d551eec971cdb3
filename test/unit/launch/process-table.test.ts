import { describe, expect, it } from 'vitest';
import { parseProcessFacts, processFacts } from '../../../src/launch/process-table.ts';

/** Fields 10 to 51 (minflt … env_end). */
const REST = Array.from({ length: 42 }, () => '0').join(' ');

describe('what /proc tells about a process', () => {
  it('finds its fields behind a name with blanks and parentheses', () => {
    expect(parseProcessFacts(`812 (a) b (c) S 1 810 800 34816 810 4194304 ${REST} 0\n`)).toEqual({
      state: 'S',
      processGroup: 810,
      terminal: 34816,
      foregroundGroup: 810,
      hasExecuted: true,
      waitStatus: 0,
    });
  });

  it('sees a fork that has not executed anything, and how a zombie ended', () => {
    const facts = parseProcessFacts(`812 (sh) Z 1 810 800 0 -1 4194368 ${REST} 32512\n`);
    expect(facts).toMatchObject({ state: 'Z', hasExecuted: false, foregroundGroup: -1, waitStatus: 127 << 8 });
  });

  it('answers nothing for a process that is not there, and for text that is none', () => {
    expect(processFacts(4_194_304)).toBeUndefined();
    expect(parseProcessFacts('')).toBeUndefined();
    expect(parseProcessFacts('12 (x) S')).toBeUndefined();
  });

  it('reads the process that asks', () => {
    expect(processFacts('self')).toMatchObject({ state: 'R', hasExecuted: true });
  });
});
