import { describe, expect, it } from 'vitest';
import { launchError } from '../../../src/launch/launch-error.ts';

describe('a command that cannot be started', () => {
  it.each([
    ['ENOENT', 127],
    ['ENOTDIR', 127],
    ['EACCES', 126],
    ['EPERM', 126],
    ['ENOEXEC', 126],
    [undefined, 126],
  ])('ends with the status of a shell: %s is %i', (code, status) => {
    expect(launchError('x', code).exitStatus).toBe(status);
  });

  it('names the command', () => {
    expect(launchError('no such', 'ENOENT').message).toBe('run "no such": command not found');
  });
});
