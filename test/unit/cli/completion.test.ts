import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VERBS } from '../../../src/cli/verbs.ts';
import { fakeNetwork, fakeSandbox, makeFakeEngine } from './fake-engine.ts';
import { tsnet } from './run-cli.ts';

async function complete(...words: string[]): Promise<string[]> {
  const engine = makeFakeEngine({
    networks: [fakeNetwork({ name: 'web', id: 'a'.repeat(64) }), fakeNetwork({ name: 'back', id: 'b'.repeat(64) })],
    sandboxes: [fakeSandbox('db', { networkId: 'a'.repeat(64), networkName: 'web', address: '172.18.0.2/16' })],
  });
  const run = await tsnet(['__complete', '--', ...words], { engine });
  expect(run).toMatchObject({ status: 0, stderr: '' });
  return run.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0] ?? '');
}

describe('a tab offers', () => {
  test('verbs, without the hidden ones', async () => {
    expect(await complete('')).toEqual(VERBS.filter(({ hidden }) => hidden !== true).map(({ name }) => name));
    expect(await complete('pu')).toEqual(['publish']);
    expect(await complete('--exec-root', '/x', 'pr')).toEqual(['prune']);
  });

  test('names of networks and containers where they belong', async () => {
    expect(await complete('rm', '')).toEqual(['web', 'back']);
    expect(await complete('rm', 'web', 'b')).toEqual(['back']);
    expect(await complete('connect', '--alias', 'x', 'web', '')).toEqual(['db']);
    expect(await complete('disconnect', 'web', 'db', '')).toEqual([]);
    expect(await complete('run', '--network', '')).toEqual(['web', 'back']);
  });

  test('flags of the verb, and of tsnet before it', async () => {
    expect(await complete('create', '--ipa')).toEqual(['--ipam-driver', '--ipam-opt']);
    expect(await complete('--de')).toEqual(['--debug']);
  });

  test('choices, and sub-verbs', async () => {
    expect(await complete('diff', '--format', '')).toEqual(['text', 'json']);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('config', 'c')).toEqual(['check']);
    expect(await complete('config', 'show', '--f')).toEqual(['--format']);
  });

  test('nothing, silently, when the engine fails', async () => {
    const engine = makeFakeEngine({ failure: new Error('no ledger') });
    expect(await tsnet(['__complete', '--', 'rm', ''], { engine })).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });
});

test('bash asks __complete with the words typed so far', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsnet-completion-'));
  try {
    const script = join(folder, 'completion.bash');
    writeFileSync(script, (await tsnet(['completion', 'bash'])).stdout);
    const bash = [
      `tsnet() { printf '%s|' "$@" >&2; printf 'web\\tbridge\\nweb2\\tbridge\\n'; }`,
      `source ${script}`,
      'COMP_WORDS=(tsnet rm we "") COMP_CWORD=2',
      // Standard error of the function is where the words are caught.
      `eval "$(declare -f _tsnet | sed 's#2> /dev/null#2> ${folder}/words#')"`,
      '_tsnet; printf "%s," "${COMPREPLY[@]}"',
    ].join('\n');
    const run = spawnSync('bash', ['--norc', '-c', `${bash}; cat ${folder}/words`], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: 'web,web2,__complete|--|rm|we|' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(['zsh', 'fish'])('%s gets a script', async (shell) => {
  const { status, stdout } = await tsnet(['completion', shell]);
  expect(status).toBe(0);
  expect(stdout).toContain('tsnet __complete --');
});

test('another shell does not', async () => {
  expect(await tsnet(['completion', 'tcsh'])).toMatchObject({ status: 125, stdout: '' });
});
