/** connect, disconnect, publish, unpublish and port. */
import { describe, expect, test } from 'vitest';
import type { PortView } from '../../../src/engine/engine.ts';
import { fakeSandbox, makeFakeEngine } from './fake-engine.ts';
import { tsnet, type CliRun } from './run-cli.ts';

const port = (given: Partial<PortView>): PortView => ({
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  containerPort: 80,
  count: 1,
  network: 'bridge',
  container: 'web',
  to: '172.17.0.2',
  ...given,
});
const PORTS = [
  port({}),
  port({ hostAddress: '::', to: 'fd00::2' }),
  port({ protocol: 'udp', hostPort: 9000, containerPort: 5000, count: 11 }),
  port({ container: 'db', network: 'back', hostAddress: '127.0.0.1', hostPort: 5432, containerPort: 5432 }),
];

function run(args: readonly string[]): Promise<CliRun> {
  const sandboxes = [fakeSandbox('web', { networkId: 'n', networkName: 'bridge', address: '172.17.0.2/16' })];
  return tsnet(args, { engine: makeFakeEngine({ sandboxes, ports: PORTS }) });
}

describe('connect', () => {
  test('passes every flag on and is silent', async () => {
    const { engine, ...rest } = await run([
      ...[
        'connect',
        '--ip',
        '10.0.0.5',
        '--ip6',
        'fd00::5',
        '--mac-address',
        '02:42:0a:00:00:05',
        '--alias',
        'a,b',
        '--alias',
        'c',
      ],
      ...[
        '-p',
        '80',
        '-p',
        '127.0.0.1:53:53/udp',
        '--gw-priority',
        '-5',
        '--driver-opt',
        'k=v',
        '--interface',
        'lan0',
        'web',
        'pid:7',
      ],
    ]);
    expect(rest).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(engine.calls[0]).toEqual([
      'connect',
      {
        network: 'web',
        container: 'pid:7',
        ip: '10.0.0.5',
        ip6: 'fd00::5',
        mac: '02:42:0a:00:00:05',
        interfaceName: 'lan0',
        aliases: ['a', 'b', 'c'],
        ports: ['80', '127.0.0.1:53:53/udp'],
        gatewayPriority: -5,
        driverOptions: { k: 'v' },
      },
    ]);
  });

  test('asks for nothing that was not typed', async () => {
    expect((await run(['connect', 'web', 'c'])).engine.calls[0]).toEqual([
      'connect',
      { network: 'web', container: 'c' },
    ]);
  });
});

test('disconnect', async () => {
  const { engine, status, stdout } = await run(['disconnect', '-f', 'web', 'c', '--dry-run']);
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  expect(engine.calls[0]).toEqual(['disconnect', { network: 'web', container: 'c', force: true, dryRun: true }]);
});

test('publish says where the ports are reached', async () => {
  const { engine, stdout } = await run(['publish', 'bridge', 'web', '8080:80', '9000-9010:5000-5010/udp']);
  expect(engine.calls[0]?.[1]).toEqual({
    network: 'bridge',
    container: 'web',
    ports: ['8080:80', '9000-9010:5000-5010/udp'],
  });
  expect(stdout.split('\n').slice(0, 3)).toEqual([
    '80/tcp -> 0.0.0.0:8080',
    '80/tcp -> [::]:8080',
    '5000-5010/udp -> 0.0.0.0:9000-9010',
  ]);
});

test('unpublish is silent', async () => {
  const { engine, stdout } = await run(['unpublish', 'bridge', 'web', '8080:80']);
  expect(stdout).toBe('');
  expect(engine.calls[0]).toEqual(['unpublish', { network: 'bridge', container: 'web', ports: ['8080:80'] }]);
});

describe('port', () => {
  test('of one container, as docker port', async () => {
    expect((await run(['port', 'db'])).stdout).toBe('5432/tcp -> 127.0.0.1:5432\n');
  });

  test('one port of a container, also inside a range', async () => {
    expect((await run(['port', 'web', '80'])).stdout).toBe('0.0.0.0:8080\n[::]:8080\n');
    expect((await run(['port', 'web', '5003/udp'])).stdout).toBe('0.0.0.0:9003\n');
  });

  test('a port that is not published', async () => {
    expect(await run(['port', 'web', '81'])).toMatchObject({
      status: 1,
      stderr: 'tsnet: port 81/tcp of web: not published; "tsnet port web" lists what is\n',
    });
    expect(await run(['port', 'web', 'http'])).toMatchObject({ status: 1, stdout: '' });
  });

  test('of all containers, as a table', async () => {
    expect((await run(['port'])).stdout).toBe(
      [
        'CONTAINER   NETWORK   PORT            HOST                TO',
        'db          back      5432/tcp        127.0.0.1:5432      172.17.0.2',
        'web         bridge    80/tcp          0.0.0.0:8080        172.17.0.2',
        'web         bridge    80/tcp          [::]:8080           fd00::2',
        'web         bridge    5000-5010/udp   0.0.0.0:9000-9010   172.17.0.2',
        '',
      ].join('\n'),
    );
    expect((await run(['port', '--format', '{{.Container}} {{.Host}}'])).stdout).toContain('web [::]:8080\n');
    expect(JSON.parse((await run(['port', 'db', '--format', 'json'])).stdout)).toMatchObject({
      Container: 'db',
      Port: '5432/tcp',
    });
  });
});
