/** create, rm, prune, ls and inspect: what they ask of the engine, print and return. */
import { describe, expect, test } from 'vitest';
import { makeFakeEngine, fakeNetwork } from './fake-engine.ts';
import { engineWithDockerNetworks } from './docker-networks.ts';
import { tsnet } from './run-cli.ts';

const web = fakeNetwork({ name: 'web', id: 'a'.repeat(64) });
const PLAN = [
  { kind: 'bridge', name: 'tsnet0', mtu: 1500, adopted: false, tag: 'tsnet:x' },
  { kind: 'address', place: 'host', link: 'tsnet0', address: '172.17.0.1/16' },
] as const;

describe('create', () => {
  test('passes every flag on and prints the id', async () => {
    const run = await tsnet([
      ...['create', '-d', 'bridge', '--subnet', '10.1.0.0/16,fd00::/64', '--gateway=10.1.0.1', '--gateway', 'fd00::1'],
      ...[
        '--ip-range',
        '10.1.5.0/24',
        '--aux-address',
        'a=10.1.0.7',
        '--aux-address',
        'b=fd00::7',
        '--aux-address',
        'c=',
      ],
      ...['--ipv6', '--internal', '-o', 'bridge.name=br7', '--opt', 'flag', '--label', 'tier=front', '--label', 'x'],
      ...['--ipam-driver', 'default', '--ipam-opt', 'k=v=w', 'web'],
    ]);
    expect(run).toMatchObject({ status: 0, stdout: `${'c'.repeat(64)}\n`, stderr: '' });
    expect(run.engine.calls[0]).toEqual([
      'createNetwork',
      {
        name: 'web',
        driver: 'bridge',
        ipam: [
          { subnet: '10.1.0.0/16', gateway: '10.1.0.1', range: '10.1.5.0/24', aux: { a: '10.1.0.7' } },
          { subnet: 'fd00::/64', gateway: 'fd00::1', aux: { b: 'fd00::7' } },
        ],
        ipamDriver: 'default',
        ipamOptions: { k: 'v=w' },
        internal: true,
        enableIPv6: true,
        options: { 'bridge.name': 'br7', flag: '' },
        labels: { tier: 'front', x: '' },
      },
    ]);
  });

  test('--dry-run prints the plan and no id', async () => {
    const run = await tsnet(['create', '--dry-run', 'web'], { engine: makeFakeEngine({ plan: PLAN }) });
    expect(run).toMatchObject({ status: 0, stdout: '+ bridge tsnet0\n+ address 172.17.0.1/16 on tsnet0\n' });
    expect(run.engine.calls[0]?.[1]).toMatchObject({ dryRun: true });
    const json = await tsnet(['create', '--dry-run', '--format', 'json', 'web'], {
      engine: makeFakeEngine({ plan: PLAN }),
    });
    expect(JSON.parse(json.stdout)).toMatchObject({ plan: PLAN });
  });

  test('warnings go to standard error', async () => {
    const run = await tsnet(['create', 'web'], {
      engine: makeFakeEngine({ warnings: ['10.0.0.0/8 overlaps a route'] }),
    });
    expect(run).toMatchObject({ status: 0, stderr: 'tsnet: warning: 10.0.0.0/8 overlaps a route\n' });
  });

  test.each([
    [['--gateway', '10.0.0.1'], '--gateway 10.0.0.1: give the --subnet that contains it'],
    [['--subnet', '10.0.0.0/24', '--gateway', '10.0.1.1'], '--gateway 10.0.1.1: no --subnet contains it (10.0.0.0/24)'],
    [
      ['--subnet', '10.0.0.0/24', '--ip-range', '10.0.0.0/16'],
      '--ip-range 10.0.0.0/16: no --subnet contains it (10.0.0.0/24)',
    ],
    [
      ['--subnet', '10.0.0.0/24', '--aux-address', 'r=10.1.0.1'],
      '--aux-address r=10.1.0.1: no --subnet contains it (10.0.0.0/24)',
    ],
    [
      ['--subnet', '10.0.0.0/24', '--gateway', '10.0.0.1,10.0.0.2'],
      '--gateway 10.0.0.2: subnet 10.0.0.0/24 has one already',
    ],
    [
      ['--subnet', '10.0.0.0/8', '--subnet', '10.1.0.0/16'],
      '--subnet 10.0.0.0/8 and --subnet 10.1.0.0/16 overlap; give one of them',
    ],
  ])('%j is refused before the engine is asked', async (flags, message) => {
    const run = await tsnet(['create', ...flags, 'web']);
    expect(run).toMatchObject({ status: 1, stderr: `tsnet: ${message}\n` });
    expect(run.engine.calls).toEqual([]);
  });
});

describe('rm', () => {
  test('prints names, goes on after an error, ends with 1', async () => {
    const other = fakeNetwork({ name: 'db', id: 'b'.repeat(64) });
    const run = await tsnet(['rm', 'aaaa', 'nope', 'db'], { engine: makeFakeEngine({ networks: [web, other] }) });
    expect(run).toMatchObject({
      status: 1,
      stdout: 'web\ndb\n',
      stderr: 'tsnet: network nope: there is no such network\n',
    });
  });

  test('--force makes a missing network no error', async () => {
    expect(await tsnet(['remove', '-f', 'nope'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('--dry-run prints the plan in the order of removal', async () => {
    const run = await tsnet(['rm', '--dry-run', 'web'], { engine: makeFakeEngine({ networks: [web], plan: PLAN }) });
    expect(run.stdout).toBe('- address 172.17.0.1/16 on tsnet0\n- bridge tsnet0\n');
  });
});

describe('prune', () => {
  const engine = (): ReturnType<typeof makeFakeEngine> => makeFakeEngine({ networks: [web] });

  test.each([
    ['y', true],
    ['Y', true],
    ['yes', false],
    ['', false],
    [undefined, false],
  ] as const)('asked, %j', async (answer, goes) => {
    const run = await tsnet(['prune'], { engine: engine(), ...(answer === undefined ? {} : { answer }) });
    expect(run.status).toBe(0);
    expect(run.questions).toHaveLength(1);
    expect(run.questions[0]).toMatch(/\[y\/N\] $/);
    expect(run.stdout).toBe(goes ? 'Deleted Networks:\nweb\n\n' : '');
    expect(run.engine.calls.length > 0).toBe(goes);
  });

  test('-f does not ask, and the filters are passed on', async () => {
    const run = await tsnet(['prune', '-f', '--filter', 'label=a=b', '--filter', 'label!=c', '--filter', 'LABEL=d'], {
      engine: engine(),
    });
    expect(run.questions).toEqual([]);
    expect(run.engine.calls[0]).toEqual(['pruneNetworks', { filters: { label: ['a=b', 'd'], 'label!': ['c'] } }]);
  });

  test('nothing removed prints nothing', async () => {
    expect(await tsnet(['prune', '-f'])).toMatchObject({ status: 0, stdout: '' });
  });

  test('what cannot be removed is reported', async () => {
    const run = await tsnet(['prune', '-f'], {
      engine: makeFakeEngine({ unprunable: [{ name: 'web', reason: 'busy' }] }),
    });
    expect(run).toMatchObject({ status: 1, stderr: 'tsnet: remove network web: busy\n' });
  });

  test('--dry-run does not ask either', async () => {
    const run = await tsnet(['prune', '--dry-run'], { engine: engine() });
    expect(run).toMatchObject({ questions: [], stdout: 'Networks that would be deleted:\nweb\n\n' });
    expect(run.engine.calls[0]?.[1]).toEqual({ dryRun: true });
  });
});

describe('ls', () => {
  test('passes filters, several of one key side by side', async () => {
    const { engine } = await tsnet([
      'list',
      '-f',
      ' Driver =bridge',
      '--filter',
      'name=a',
      '-f',
      'name=b',
      '-f',
      'label=x=y',
    ]);
    expect(engine.calls[0]).toEqual(['listNetworks', { driver: ['bridge'], name: ['a', 'b'], label: ['x=y'] }]);
  });

  test('an empty table has its header', async () => {
    expect((await tsnet(['ls'])).stdout).toBe('NETWORK ID   NAME      DRIVER    SCOPE\n');
  });

  test('names sort as people count', async () => {
    const networks = ['n10', 'n9', 'n', 'a', 'n09', 'n9a'].map((name) =>
      fakeNetwork({ name, id: name.padEnd(64, '0') }),
    );
    const { stdout } = await tsnet(['ls', '--format', '{{.Name}}'], { engine: makeFakeEngine({ networks }) });
    expect(stdout).toBe('a\nn\nn09\nn9\nn9a\nn10\n');
  });
});

describe('inspect', () => {
  const tell = (message: string): string => `tsnet: network ${message}: there is no such network\n`;

  test('prints what it finds, then the errors', async () => {
    const run = await tsnet(['inspect', 'web9', 'nope', 'web10', 'nah'], { engine: engineWithDockerNetworks() });
    expect(run.status).toBe(1);
    expect((JSON.parse(run.stdout) as { Name: string }[]).map(({ Name }) => Name)).toEqual(['web9', 'web10']);
    expect(run.stderr).toBe(tell('nope') + tell('nah'));
  });

  test('nothing found is an empty list, or an empty line for a template', async () => {
    expect(await tsnet(['inspect', 'nope'])).toMatchObject({ status: 1, stdout: '[]\n', stderr: tell('nope') });
    expect(await tsnet(['inspect', '-f', '{{.Name}}', 'nope'])).toMatchObject({ status: 1, stdout: '\n' });
  });

  test('--format json is one line', async () => {
    const run = await tsnet(['inspect', '--format', 'json', 'web9'], { engine: engineWithDockerNetworks() });
    expect(run.stdout.split('\n')).toHaveLength(2);
    expect(JSON.parse(run.stdout)).toHaveLength(1);
  });

  test('a template that cannot be parsed ends with 64 before anything is asked', async () => {
    const run = await tsnet(['inspect', '-f', '{{.Name', 'web9'], { engine: engineWithDockerNetworks() });
    expect(run).toMatchObject({
      status: 64,
      stdout: '',
      stderr: 'tsnet: template parsing error: template: :1: unclosed action\n',
    });
    expect(run.engine.calls).toEqual([]);
  });
});
