/** Runtimes are played by a socket and by files here; `test/kernel/runtime-*.test.ts` asks real ones. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseInspected } from '../../../src/runtimes/references/inspected-container.ts';
import { DEFAULT_LOOKUPS, type Lookups } from '../../../src/runtimes/references/lookups.ts';
import { resolveContainer } from '../../../src/runtimes/references/resolve-container.ts';

const ID = 'ab'.repeat(32);
let dir: string;
let server: Server | undefined;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'tsnet-lookups-'));
});

afterEach(async () => {
  const closing = server;
  server = undefined;
  closing?.closeAllConnections();
  if (closing !== undefined) await once(closing.close(), 'close');
  rmSync(dir, { recursive: true, force: true });
});

function lookups(env: Lookups['env'] = {}): Lookups {
  return { ...DEFAULT_LOOKUPS, env, timeoutMs: 300, containerdStates: [dir] };
}

async function serve(listener: RequestListener): Promise<string> {
  const socket = path.join(dir, 'api.sock');
  const made = createServer(listener);
  server = made;
  await new Promise<void>((resolve) => made.listen(socket, resolve));
  return `unix://${socket}`;
}

function described(state: object, networkMode = 'bridge'): string {
  return JSON.stringify({ Id: ID, Name: '/web', State: state, HostConfig: { NetworkMode: networkMode } });
}

async function codeOf(asking: Promise<unknown>): Promise<string> {
  return asking.then(
    () => 'none',
    (error: unknown) => String((error as { code?: unknown }).code),
  );
}

describe('docker:NAME', () => {
  it('asks the socket of DOCKER_HOST and takes name, id and process from the answer', async () => {
    let asked = '';
    const host = await serve((request, response) => {
      asked = request.url ?? '';
      // The test's own process shares the host's network, which is refused: whatever was parsed is in the message.
      response.end(described({ Pid: process.pid, Status: 'running' }));
    });
    await expect(resolveContainer('docker:web', lookups({ DOCKER_HOST: host }))).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('docker container web') as unknown,
    });
    expect(asked).toBe('/containers/web/json');
  });

  it.each([
    ['a container that is not running', 200, described({ Pid: 0, Status: 'exited' }), 'NOT_FOUND'],
    ['a container with the network of the host', 200, described({ Pid: 1, Status: 'running' }, 'host'), 'FORBIDDEN'],
    ['a process that is gone', 200, described({ Pid: 4_194_304, Status: 'running' }), 'NOT_FOUND'],
    ['a container that is not there', 404, '{"message":"No such container: web"}', 'NOT_FOUND'],
    ['a daemon in trouble', 500, '{"message":"oops"}', 'RUNTIME'],
    ['an answer that is not JSON', 200, '<html>', 'RUNTIME'],
    ['an answer of another kind', 200, '[]', 'RUNTIME'],
  ])('refuses %s', async (_what, status, body, code) => {
    const host = await serve((_request, response) => {
      response.writeHead(status).end(body);
    });
    expect(await codeOf(resolveContainer('docker:web', lookups({ DOCKER_HOST: host })))).toBe(code);
  });

  it('gives up on a daemon that does not answer', async () => {
    const host = await serve(() => undefined);
    expect(await codeOf(resolveContainer('docker:web', lookups({ DOCKER_HOST: host })))).toBe('TIMEOUT');
  });

  it('gives up on a daemon that stops in the middle of its answer', async () => {
    const host = await serve((_request, response) => {
      response.write('{');
    });
    expect(await codeOf(resolveContainer('docker:web', lookups({ DOCKER_HOST: host })))).toBe('TIMEOUT');
  });

  it('says so when nobody listens, and when the daemon is on another host', async () => {
    const nobody = `unix://${dir}/nobody.sock`;
    expect(await codeOf(resolveContainer('docker:web', lookups({ DOCKER_HOST: nobody })))).toBe('RUNTIME');
    const remote = lookups({ DOCKER_HOST: 'tcp://10.0.0.1:2375' });
    expect(await codeOf(resolveContainer('docker:web', remote))).toBe('UNSUPPORTED');
  });
});

describe('podman:NAME', () => {
  it('asks the service that CONTAINER_HOST names', async () => {
    let asked = '';
    const host = await serve((request, response) => {
      asked = request.url ?? '';
      response.writeHead(404).end('{"cause":"no such container"}');
    });
    expect(await codeOf(resolveContainer('podman:web', lookups({ CONTAINER_HOST: host })))).toBe('NOT_FOUND');
    expect(asked).toBe('/v4.0.0/libpod/containers/web/json');
  });

  it('asks the command when there is no service', async () => {
    const script = `#!/bin/sh\necho '[${described({ Pid: 0, Status: 'created' })}]'\n`;
    writeFileSync(path.join(dir, 'podman'), script, { mode: 0o755 });
    const env = { PATH: dir, CONTAINER_HOST: `unix://${dir}/nobody.sock` };
    await expect(resolveContainer('podman:web', lookups(env))).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('not running (created)') as unknown,
    });
  });

  it.each([
    ['says that there is no such container', '[ "$2" = exists ] && exit 1; exit 125', 'NOT_FOUND'],
    ['cannot tell', 'echo broken storage >&2; exit 125', 'RUNTIME'],
    ['hangs', 'exec sleep 60', 'TIMEOUT'],
  ])('refuses when the command %s', async (_what, body, code) => {
    writeFileSync(path.join(dir, 'podman'), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    const env = { PATH: `${dir}:/bin:/usr/bin`, CONTAINER_HOST: `unix://${dir}/nobody.sock` };
    expect(await codeOf(resolveContainer('podman:web', lookups(env)))).toBe(code);
  });

  it('says so when Podman is not installed', async () => {
    const env = { PATH: dir, CONTAINER_HOST: `unix://${dir}/nobody.sock` };
    expect(await codeOf(resolveContainer('podman:web', lookups(env)))).toBe('RUNTIME');
  });
});

describe('containerd:ID', () => {
  function task(namespace: string, id: string, pid: number | string): void {
    const folder = path.join(dir, 'io.containerd.runtime.v2.task', namespace, id);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'init.pid'), String(pid));
  }

  // The process of the test shares the host's network: FORBIDDEN says that it was found.
  it.each([
    ['in any namespace', 'containerd:abcdef', 'FORBIDDEN'],
    ['in a named one', 'containerd:k8s.io/abcdef', 'FORBIDDEN'],
    ['by a unique prefix', 'containerd:abcd', 'FORBIDDEN'],
    ['not in another namespace', 'containerd:default/abcdef', 'NOT_FOUND'],
    ['not by another id', 'containerd:fff', 'NOT_FOUND'],
  ])('finds a task %s', async (_what, reference, code) => {
    task('k8s.io', 'abcdef', process.pid);
    expect(await codeOf(resolveContainer(reference, lookups()))).toBe(code);
  });

  it('asks for the namespace when two have the id, and prefers the exact id over longer ones', async () => {
    task('k8s.io', 'web', process.pid);
    task('k8s.io', 'web2', process.pid);
    expect(await codeOf(resolveContainer('containerd:web', lookups()))).toBe('FORBIDDEN');
    task('default', 'web', process.pid);
    expect(await codeOf(resolveContainer('containerd:web', lookups()))).toBe('AMBIGUOUS');
    expect(await codeOf(resolveContainer('containerd:web', lookups({ CONTAINERD_NAMESPACE: 'default' })))).toBe(
      'FORBIDDEN',
    );
  });

  it('refuses a task without a process', async () => {
    task('default', 'web', 'garbage');
    expect(await codeOf(resolveContainer('containerd:web', lookups()))).toBe('NOT_FOUND');
  });
});

describe('paths and processes', () => {
  it('refuses a path that leads nowhere, and the host’s own namespace', async () => {
    expect(await codeOf(resolveContainer(`${dir}/none`, lookups()))).toBe('NOT_FOUND');
    expect(await codeOf(resolveContainer('/proc/self/ns/net', lookups()))).toBe('FORBIDDEN');
    expect(await codeOf(resolveContainer(`pid:${process.pid}`, lookups()))).toBe('FORBIDDEN');
    expect(await codeOf(resolveContainer('pid:4194304', lookups()))).toBe('NOT_FOUND');
  });

  it('names the sandbox after the last part of the path', async () => {
    const file = path.join(dir, 'my web!');
    writeFileSync(file, '');
    expect(await resolveContainer(file, lookups())).toEqual({
      origin: { kind: 'netns', path: file },
      name: 'my-web-',
      netnsPath: file,
    });
  });
});

describe('a description of a container', () => {
  it.each([
    undefined,
    null,
    1,
    'x',
    [],
    {},
    { Id: ID },
    { Id: 'x', Name: 'n', State: { Pid: 1 } },
    { Id: ID, Name: 'n', State: { Pid: -1 } },
  ])('%j is none', (value) => {
    expect(parseInspected(value)).toBeUndefined();
  });
});
