import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hasProgram, runProgram, type ProgramCall } from '../../../src/kernel/run-program.ts';

function sh(script: string, more: Partial<ProgramCall> = {}): ReturnType<typeof runProgram> {
  return runProgram({ file: 'sh', args: ['-c', script], input: '', timeoutMs: 10_000, ...more });
}

describe('a program', () => {
  it('has its input, and tells what it wrote and how it ended', async () => {
    expect(await sh('cat; echo no >&2; exit 7', { input: 'yes\n' })).toEqual({
      status: 7,
      stdout: 'yes\n',
      stderr: 'no\n',
    });
  });

  it('may write and read megabytes, or nothing of what it was given', async () => {
    const input = 'é'.repeat(4 << 20);
    const { status, stdout } = await sh('cat', { input });
    expect([status, stdout === input]).toEqual([0, true]);
    expect(await sh('exit 0', { input })).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('is ended when it takes too long', async () => {
    expect(await sh('echo begun >&2; exec sleep 60', { timeoutMs: 200 })).toEqual({
      status: 128,
      stdout: '',
      stderr: 'begun\nkilled by SIGKILL',
    });
  });

  it('may end after it closed its output', async () => {
    expect(await sh('exec >&-; sleep 0.1; exit 3')).toMatchObject({ status: 3 });
  });

  it('that is not there is ENOENT', async () => {
    await expect(runProgram({ file: 'no-such-program', args: [], input: '', timeoutMs: 1000 })).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect([hasProgram('no-such-program'), hasProgram('sh'), hasProgram('/bin/sh')]).toEqual([false, true, true]);
  });

  it('dies of SIGPIPE, as it would in a shell', async () => {
    const { stdout } = await sh(`exec grep -E '^Sig(Ign|Blk)' /proc/self/status`);
    const masks = [...stdout.matchAll(/[0-9a-f]{16}/g)].map(([mask]) => BigInt(`0x${mask}`));
    expect(masks).toHaveLength(2);
    for (const mask of masks) expect((mask >> 12n) & 1n).toBe(0n);
  });

  it('has the descriptor that it is to keep open, and no other of ours', async () => {
    const file = openSync('/proc/self/status', 'r');
    const other = openSync('/proc/self/maps', 'r');
    try {
      const { stdout } = await sh('ls -l /proc/self/fd', { inherit: file });
      expect(stdout).toMatch(/ 3 -> \S*\/status/);
      expect(stdout).not.toMatch(/\/maps/);
    } finally {
      closeSync(other);
      closeSync(file);
    }
  });

  it('leaves no descriptor behind', async () => {
    const ours = (): string[] =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          const target = readlinkSync(`/proc/self/fd/${fd}`);
          return target.includes('memfd:tsnet') ? [target] : [];
        } catch {
          return [];
        }
      });
    await Promise.all(Array.from({ length: 20 }, () => sh('echo x')));
    await expect(runProgram({ file: 'nothing-there', args: [], input: '', timeoutMs: 1000 })).rejects.toThrow();
    expect(ours()).toEqual([]);
  });
});
