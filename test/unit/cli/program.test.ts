import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstOperand } from '../../../src/cli/program.ts';
import { VERBS } from '../../../src/cli/verbs.ts';
import { ERROR_STATUS, TsnetError, type ErrorCode } from '../../../src/model/error.ts';
import { engineWithDockerNetworks } from './docker-networks.ts';
import { makeFakeEngine } from './fake-engine.ts';
import { tsnet } from './run-cli.ts';

describe('usage errors end with 125 and say what is wrong in one line', () => {
  test.each([
    [['ls', '--nonsense'], 'tsnet: unknown option \'--nonsense\'; see "tsnet ls --help"'],
    [['ls', '--no-trunk'], 'tsnet: unknown option \'--no-trunk\' (Did you mean --no-trunc?); see "tsnet ls --help"'],
    [['inspekt'], 'tsnet: unknown command \'inspekt\' (Did you mean inspect?); see "tsnet --help"'],
    [
      ['ls', '-f', 'driver'],
      "tsnet: option '-f, --filter <key=value>' argument 'driver' is invalid. Expected KEY=VALUE; see \"tsnet ls --help\"",
    ],
    [
      ['create', '--gateway', 'ten', 'x'],
      "tsnet: option '--gateway <ip>' argument 'ten' is invalid. Expected an IP address; see \"tsnet create --help\"",
    ],
    [
      ['create', '--label', '=x', 'x'],
      "tsnet: option '--label <key=value>' argument '=x' is invalid. Expected KEY=VALUE; see \"tsnet create --help\"",
    ],
    [
      ['connect', '--gw-priority', 'high', 'n', 'c'],
      "tsnet: option '--gw-priority <number>' argument 'high' is invalid. Expected a whole number; see \"tsnet connect --help\"",
    ],
    [
      ['diff', '--format', 'yaml'],
      "tsnet: option '--format <format>' argument 'yaml' is invalid. Allowed choices are text, json; see \"tsnet diff --help\"",
    ],
    [['create', '-d'], 'tsnet: option \'-d, --driver <name>\' argument missing; see "tsnet create --help"'],
  ])('%j', async (args, line) => {
    const run = await tsnet(args);
    expect(run.stderr).toBe(`${line}\n`);
    expect(run).toMatchObject({ status: 125, stdout: '' });
    expect(run.engine.calls).toEqual([]);
  });

  test('a wrong number of arguments prints how the verb is used', async () => {
    expect(await tsnet(['connect', 'web'])).toMatchObject({
      status: 125,
      stderr:
        'tsnet: missing required argument \'container\'; see "tsnet connect --help"\nUsage: tsnet connect [options] <network> <container>\n',
    });
    const tooMany = await tsnet(['disconnect', 'a', 'b', 'c']);
    expect(tooMany.status).toBe(125);
    expect(tooMany.stderr).toContain('Usage: tsnet disconnect [options] <network> <container>\n');
  });

  test('no verb at all shows the help on standard error', async () => {
    const run = await tsnet([]);
    expect(run).toMatchObject({ status: 125, stdout: '' });
    expect(run.stderr).toContain('Usage: tsnet [OPTIONS] COMMAND');
  });
});

describe('help', () => {
  test('lists every verb but the hidden ones', async () => {
    const run = await tsnet(['--help']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    for (const { name, summary, hidden } of VERBS) {
      expect(run.stdout.includes(summary), name).toBe(hidden !== true);
    }
  });

  test.each(VERBS.filter(({ hidden }) => hidden !== true).map(({ name }) => name))('tsnet %s --help', async (name) => {
    const run = await tsnet([name, '--help']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(new RegExp(`^Usage: tsnet ${name}`));
    expect(await tsnet(['help', name])).toMatchObject({ status: 0, stdout: run.stdout });
  });

  test.each([['--version'], ['-v']])('%s', async (flag) => {
    expect(await tsnet([flag])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^tsnet \S+\n$/) as string });
  });
});

describe('errors of the engine', () => {
  test.each(Object.entries(ERROR_STATUS))('%s becomes its exit status', async (code, { exit }) => {
    const failure = new TsnetError(code as ErrorCode, 'list networks: no; do this');
    const run = await tsnet(['ls'], { engine: makeFakeEngine({ failure }) });
    expect(run).toMatchObject({ status: exit, stdout: '', stderr: 'tsnet: list networks: no; do this\n' });
  });

  test('are one line whatever their text', async () => {
    const failure = new TsnetError('KERNEL', 'line one\nline two\r\n\u001b[31mred\n');
    const run = await tsnet(['ls'], { engine: makeFakeEngine({ failure }) });
    expect(run.stderr).toBe('tsnet: line one; line two;  [31mred\n');
  });

  test('show their causes with --debug only', async () => {
    const cause = new AggregateError([new Error('EPERM'), new TsnetError('FIREWALL', 'no chain')]);
    const engine = (): ReturnType<typeof makeFakeEngine> =>
      makeFakeEngine({ failure: new TsnetError('KERNEL', 'connect db', { cause }) });
    expect((await tsnet(['ls'], { engine: engine() })).stderr).toBe('tsnet: connect db\n');
    const { stderr } = await tsnet(['--debug', 'ls'], { engine: engine() });
    expect(stderr.split('\n')[0]).toBe('tsnet: connect db');
    expect(stderr).toContain('because Error: EPERM');
    expect(stderr).toContain('because TsnetError: no chain');
  });

  test('that nobody foresaw are named bugs', async () => {
    const run = await tsnet(['ls'], { engine: makeFakeEngine({ failure: new RangeError('oops') }) });
    expect(run).toMatchObject({ status: 1, stderr: 'tsnet: bug: oops; run again with --debug and report it\n' });
  });
});

describe('global options', () => {
  test('reach the configuration, before the verb and behind it', async () => {
    for (const args of [
      ['--data-root', '/d', '--exec-root=/e', '-H', 'unix:///h.sock', '--debug', 'ls'],
      ['ls', '--data-root', '/d', '--exec-root=/e', '-H', 'unix:///h.sock', '--debug'],
    ]) {
      const { config } = await tsnet(args);
      expect(config).toMatchObject({ dataRoot: '/d', execRoot: '/e', hosts: ['unix:///h.sock'], debug: true });
    }
  });

  test('the engine is closed, also after an error, and opened only when asked', async () => {
    expect((await tsnet(['ls'])).engine.calls.map(([call]) => call)).toEqual(['listNetworks', 'close']);
    const failing = await tsnet(['rm', 'nope']);
    expect(failing.engine.calls.map(([call]) => call)).toEqual(['removeNetwork', 'close']);
    expect((await tsnet(['version'])).config).toBeUndefined();
  });

  test('a missing --config is an error of the configuration', async () => {
    const run = await tsnet(['--config', '/nonexistent.json', 'ls']);
    expect(run).toMatchObject({ status: 1, config: undefined });
    expect(run.stderr).toMatch(/^tsnet: read \/nonexistent.json: no such file; .*\n$/);
  });

  test('the verb is found behind them', () => {
    expect(firstOperand(['--config', 'ls', '--debug', '-H', 'rm', 'inspect', 'ls'])).toBe('inspect');
    expect(firstOperand(['--config=ls'])).toBeUndefined();
  });
});

describe('flags take Docker’s =true and =false', () => {
  test('create --internal=true --ipv4=false --attachable=false', async () => {
    const { engine } = await tsnet([
      'create',
      '--internal=true',
      '--ipv4=false',
      '--attachable=false',
      '--ipv6=1',
      'n',
    ]);
    expect(engine.calls[0]?.[1]).toEqual({
      name: 'n',
      driver: 'bridge',
      internal: true,
      enableIPv4: false,
      enableIPv6: true,
    });
  });

  test('not behind --', async () => {
    const { engine } = await tsnet(['create', '--', '--internal=true']);
    expect(engine.calls[0]?.[1]).toEqual({ name: '--internal=true', driver: 'bridge' });
  });
});

/** Verbs that start or end processes, or go on until they are told to end. */
const LAUNCHING = ['run', 'exec', 'stop', 'daemon', 'docker-plugin', 'cni', 'netavark', 'oci-hook', 'events', '__reap'];

test('no arguments whatever end in anything but 0, 1, 2, 64 or 125, and errors are one line', async () => {
  const words = fc.constantFrom(
    ...VERBS.map(({ name }) => name),
    ...[
      '--format',
      '{{.Name}}',
      '{{range .}}',
      'table {{.ID}}',
      'json',
      '-f',
      '-q',
      '--filter',
      'a=b',
      'web',
      '-p',
      '80',
      '--',
      '--help',
    ],
    ...[
      '--subnet',
      '10.0.0.0/8',
      '--ip',
      '--config',
      '--dry-run',
      '-',
      '',
      'check',
      'show',
      'bash',
      '--no-ipv4',
      '--ip-range=10.1.0.0/16',
    ],
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 4, arbitrary: words }, fc.string({ maxLength: 8 })), { maxLength: 6 }),
      async (args) => {
        const engine = engineWithDockerNetworks();
        const run = await tsnet(
          args.filter((word) => !LAUNCHING.includes(word)),
          { engine },
        );
        expect([0, 1, 2, 64, 125]).toContain(run.status);
        expect(run.stderr).not.toContain('bug:');
      },
    ),
    { numRuns: 400 },
  );
});
