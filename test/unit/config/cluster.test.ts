import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { examineConfig } from '../../../src/config/load.ts';
import { parseClusterAdvertise, parseClusterStore } from '../../../src/model/cluster-address.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsnet-cluster-config-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function examine(content: object): ReturnType<typeof examineConfig> {
  const file = join(folder, 'daemon.json');
  writeFileSync(file, JSON.stringify(content));
  return examineConfig({ file, env: {} });
}

describe('the store of a cluster in daemon.json', () => {
  test('says where it is and how to speak to it', () => {
    const { config, problems } = examine({
      'cluster-store': 'etcd://10.0.0.5:2379,store.example,[fd00::6]:4001/lab',
      'cluster-store-opts': { ca: '/etc/ca.pem', user: 'tsnet', password: 'secret' },
      'cluster-advertise': 'eth0:4789',
    });
    expect(problems).toEqual([]);
    expect(config?.cluster).toEqual({
      store: {
        kind: 'etcd',
        endpoints: [
          { host: '10.0.0.5', port: 2379 },
          { host: 'store.example', port: 2379 },
          { host: 'fd00::6', port: 4001 },
        ],
        path: 'lab',
      },
      storeOptions: { ca: '/etc/ca.pem', user: 'tsnet', password: 'secret' },
      advertise: { kind: 'interface', name: 'eth0', port: 4789 },
      ttlSeconds: 15,
    });
  });

  test("may use Docker's names", () => {
    const { config } = examine({
      'cluster-store': 'zk://10.0.0.5',
      'cluster-store-opts': {
        'kv.cacertfile': '/a',
        'kv.certfile': '/b',
        'kv.keyfile': '/c',
        'kv.path': 'docker/x',
        'discovery.ttl': '30',
      },
    });
    expect(config?.cluster).toMatchObject({
      store: { path: 'docker/x', endpoints: [{ port: 2181 }] },
      storeOptions: { ca: '/a', cert: '/b', key: '/c' },
      ttlSeconds: 30,
    });
  });

  test('is not there unless it is set', () => {
    expect(examine({}).config).not.toHaveProperty('cluster');
    const { config, notices } = examine({ 'cluster-advertise': 'eth0' });
    expect(config).not.toHaveProperty('cluster');
    expect(notices).toEqual(['cluster-advertise: no effect without "cluster-store"']);
  });

  test('never shows the password', () => {
    const examined = examine({
      'cluster-store': 'etcd://a',
      'cluster-store-opts': { user: 'tsnet', password: 'hunter2' },
    });
    expect(JSON.stringify([examined.entries, examined.config?.effective])).not.toContain('hunter2');
    expect(examined.config?.cluster?.storeOptions.password).toBe('hunter2');
  });

  test.each([
    [{ 'cluster-store': 'consul://a' }, 'expected an address such as etcd://10.0.0.5:2379'],
    [{ 'cluster-store': 'redis://a' }, 'expected an address such as etcd://10.0.0.5:2379'],
    [{ 'cluster-store': 'etcd://a:99999' }, '"a:99999" is no host and port'],
    [{ 'cluster-store': 'etcd://a,,b' }, '"" is no host and port'],
    [{ 'cluster-store': 'etcd://a/../x' }, 'is no path'],
    [{ 'cluster-store': 'etcd://a', 'cluster-store-opts': { cert: '/c' } }, '"cert" and "key" go together'],
    [{ 'cluster-store': 'etcd://a', 'cluster-store-opts': { user: 'c' } }, '"user" needs "password"'],
    [{ 'cluster-store': 'etcd://a', 'cluster-store-opts': { ttl: '1' } }, 'expected at least 2'],
    [{ 'cluster-store': 'etcd://a', 'cluster-store-opts': { ca: 'x.pem' } }, 'expected an absolute path'],
    [{ 'cluster-store': 'etcd://a', 'cluster-store-opts': { sert: '/x' } }, 'did you mean cert?'],
    [{ 'cluster-store': 'etcd://a', 'cluster-advertise': 'a b' }, '/cluster-advertise: "a b": expected an interface'],
  ])('%j is refused', (content, why) => {
    const { problems, config } = examine(content);
    expect(config).toBeUndefined();
    expect(problems.join('\n')).toContain(why);
    expect(problems).toHaveLength(1);
  });
});

test.each([
  ['eth0', { kind: 'interface', name: 'eth0' }],
  ['10.0.0.1', { kind: 'address', address: '10.0.0.1' }],
  ['10.0.0.1:8472', { kind: 'address', address: '10.0.0.1', port: 8472 }],
  ['fd00::0:1', { kind: 'address', address: 'fd00::1' }],
  ['[fd00::1]:4789', { kind: 'address', address: 'fd00::1', port: 4789 }],
])('%s is advertised as that', (text, parsed) => {
  expect(parseClusterAdvertise(text)).toEqual(parsed);
});

test.each(['', 'eth0:0', 'eth0:70000', '10.0.0.1:x', 'a-name-of-twenty-letters'])('"%s" advertises nothing', (text) => {
  expect(() => parseClusterAdvertise(text)).toThrow('expected an interface or an address');
});

test('a port that is not told is the usual one of the store', () => {
  const ports = ['etcd://a', 'zk://a'].map((text) => parseClusterStore(text).endpoints[0]?.port);
  expect(ports).toEqual([2379, 2181]);
});
