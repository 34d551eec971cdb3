import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findPlugin, pluginNames, type PluginFolders } from '../../../src/docker-plugins/find-plugin.ts';

let root: string;
let folders: PluginFolders;
let servers: Server[];

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tsnet-plugins-'));
  folders = { sockets: `${root}/run`, specs: [`${root}/etc`, `${root}/lib`] };
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  rmSync(root, { recursive: true, force: true });
});

async function listen(file: string): Promise<string> {
  const socket = path.join(root, file);
  mkdirSync(path.dirname(socket), { recursive: true });
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return socket;
}

function write(file: string, content: unknown): string {
  const target = path.join(root, file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, typeof content === 'string' ? content : JSON.stringify(content));
  return target;
}

describe('a Docker plugin is found', () => {
  it.each(['run/weave.sock', 'run/weave/weave.sock'])('by its socket %s', async (file) => {
    const socket = await listen(file);
    expect(findPlugin('weave', folders)).toEqual({
      name: 'weave',
      source: socket,
      transport: { kind: 'unix', socket },
    });
  });

  it.each<[string, string, unknown, object]>([
    [
      'a file with a URL of a socket',
      'etc/weave.spec',
      'unix:///tmp/w.sock\n',
      { kind: 'unix', socket: '/tmp/w.sock' },
    ],
    [
      'one in a folder of its own',
      'lib/weave/weave.spec',
      'tcp://10.0.0.1:80',
      { kind: 'tcp', host: '10.0.0.1', port: 80 },
    ],
    ['an IPv6 address', 'etc/weave.spec', 'http://[::1]:8080', { kind: 'tcp', host: '::1', port: 8080 }],
    ['https', 'etc/weave.spec', 'https://h:443', { kind: 'tcp', host: 'h', port: 443, tls: { insecure: false } }],
    ['JSON', 'lib/weave.json', { Name: 'x', Addr: 'tcp://h:1' }, { kind: 'tcp', host: 'h', port: 1 }],
    [
      'JSON with certificates',
      'etc/weave.json',
      { Addr: 'https://h:1', TLSConfig: { CAFile: '/ca', CertFile: '/c', KeyFile: '/k' } },
      { kind: 'tcp', host: 'h', port: 1, tls: { ca: '/ca', cert: '/c', key: '/k', insecure: false } },
    ],
    [
      'JSON without an authority',
      'etc/weave.json',
      { Addr: 'tcp://h:1', TLSConfig: {} },
      { kind: 'tcp', host: 'h', port: 1, tls: { insecure: true } },
    ],
  ])('by %s', (_what, file, content, transport) => {
    const source = write(file, content);
    expect(findPlugin('weave', folders)).toEqual({ name: 'weave', source, transport });
  });

  it('by the socket before a file, and in /etc before /usr/lib', async () => {
    write('lib/weave.spec', 'tcp://lib:1');
    const spec = write('etc/weave.spec', 'tcp://etc:1');
    expect(findPlugin('weave', folders)).toMatchObject({ source: spec });
    const socket = await listen('run/weave.sock');
    expect(findPlugin('weave', folders)).toMatchObject({ source: socket });
  });

  it.each(['../etc/weave', '/weave', '.', '', 'a/b'])('never by a name that leads elsewhere: %j', (name) => {
    write('weave.spec', 'tcp://h:1');
    write('etc/weave.spec', 'tcp://h:1');
    expect(findPlugin(name, folders)).toBeUndefined();
  });

  it('nowhere, where there is none', () => {
    write('run/weave.sock', 'a file');
    expect(findPlugin('weave', folders)).toBeUndefined();
    expect(pluginNames({ sockets: '/nonexistent', specs: [] })).toEqual([]);
  });
});

it.each<[string, unknown, RegExp]>([
  ['etc/weave.json', '{', /not JSON/],
  ['etc/weave.json', {}, /no "Addr"/],
  ['etc/weave.spec', 'ftp://h:1', /address "ftp:\/\/h:1" is none; write unix/],
  ['etc/weave.spec', 'tcp://h:99999', /is none/],
])('%s with %j is refused', (file, content, message) => {
  write(file, content);
  expect(() => findPlugin('weave', folders)).toThrow(message);
});

it('all names are listed once', async () => {
  await listen('run/b.sock');
  await listen('run/c/c.sock');
  write('etc/a.spec', 'tcp://h:1');
  write('lib/b/b.json', {});
  write('lib/README', '');
  expect(pluginNames(folders)).toEqual(['a', 'b', 'c']);
});
