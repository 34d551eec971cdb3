import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createResolvConf, updateResolvConf } from '../../../src/launch/resolv-conf-file.ts';

const [ONE, TWO] = ['# Written by tsnet; one\nnameserver 1\n', '# Written by tsnet; two\nnameserver 2\n'] as const;

function folder() {
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-files-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const file = path.join(dir, 'box', 'resolv.conf');
  return { dir: path.join(dir, 'box'), file, text: () => readFileSync(file, 'utf8') };
}

it('is written in place as often as it changes', () => {
  const { dir, file, text } = folder();
  createResolvConf(dir, ONE);
  const { ino } = statSync(file);
  expect(updateResolvConf(dir, ONE)).toBe('same');
  expect(updateResolvConf(dir, TWO)).toBe('written');
  expect(updateResolvConf(dir, ONE)).toBe('written');
  expect([text(), statSync(file).ino]).toEqual([ONE, ino]);
});

it('is left to whoever was there first, and to whoever edited it', () => {
  const { dir, file, text } = folder();
  expect(updateResolvConf(dir, ONE)).toBe('none');
  createResolvConf(dir, ONE);
  createResolvConf(dir, TWO);
  expect(text()).toBe(ONE);
  writeFileSync(file, `${ONE}nameserver 9\n`);
  expect(updateResolvConf(dir, TWO)).toBe('edited');
  expect(text()).toBe(`${ONE}nameserver 9\n`);
});

it('of an earlier tsnet, without a copy, is taken over if it looks like ours', () => {
  const { dir, file, text } = folder();
  createResolvConf(dir, ONE);
  rmSync(`${file}.written`);
  expect(updateResolvConf(dir, TWO)).toBe('written');
  rmSync(`${file}.written`);
  writeFileSync(file, 'nameserver 9\n');
  expect(updateResolvConf(dir, ONE)).toBe('edited');
  expect(text()).toBe('nameserver 9\n');
});
