import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pluginCaller, type CallPlugin } from '../../../src/docker-plugins/plugin-call.ts';

let root: string;
let socket: string;
let server: Server | undefined;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tsnet-call-'));
  socket = path.join(root, 'weave.sock');
});
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  rmSync(root, { recursive: true, force: true });
});

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

function serve(handler: Handler): Promise<void> {
  const made = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      handler(request, response, body);
    });
  });
  server = made;
  return new Promise((resolve) => made.listen(socket, resolve));
}

function caller(times = { connectMs: 0, answerMs: 5000 }): CallPlugin {
  return pluginCaller({ name: 'weave', source: socket, transport: { kind: 'unix', socket } }, times);
}

describe('a call to a Docker plugin', () => {
  it('is a POST of JSON that asks for the version of the protocol', async () => {
    let seen: unknown;
    await serve(({ method, url, headers }, response, body) => {
      seen = { method, url, accept: headers.accept, body: JSON.parse(body) as unknown };
      response.end('{"Gateway":"10.0.0.1"}');
    });
    expect(await caller()('NetworkDriver.Join', { NetworkID: 'n' })).toEqual({ Gateway: '10.0.0.1' });
    expect(seen).toEqual({
      method: 'POST',
      url: '/NetworkDriver.Join',
      accept: 'application/vnd.docker.plugins.v1.2+json',
      body: { NetworkID: 'n' },
    });
  });

  it('answers nothing for a method that the plugin does not know, and an empty object for an empty body', async () => {
    await serve(({ url }, response) => {
      response.statusCode = url === '/Known' ? 200 : 404;
      response.end();
    });
    expect(await caller()('Unknown')).toBeUndefined();
    expect(await caller()('Known')).toEqual({});
  });

  it.each<[string, number, string, RegExp]>([
    ['Err with status 200', 200, '{"Err":"no vni left"}', /^plugin weave: Join: no vni left$/],
    ['Error, as IPAM drivers do', 200, '{"Error":"full"}', /^plugin weave: Join: full$/],
    ['Err with another status', 500, '{"Err":"broken"}', /^plugin weave: Join: broken$/],
    ['words with another status', 500, 'oops\n', /^plugin weave: Join: HTTP 500 oops$/],
    ['what is no JSON', 200, '<html>', /the answer is no JSON object: <html>/],
    ['a list', 200, '[]', /the answer is no JSON object/],
  ])('tells what the plugin tells: %s', async (_what, status, body, message) => {
    await serve((_request, response) => {
      response.statusCode = status;
      response.end(body);
    });
    await expect(caller()('NetworkDriver.Join')).rejects.toMatchObject({
      code: 'DRIVER',
      message: expect.stringMatching(message) as string,
    });
  });

  it('gives up a plugin that does not answer', async () => {
    await serve(() => undefined);
    await expect(caller({ connectMs: 0, answerMs: 50 })('NetworkDriver.Join')).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `plugin weave: Join: no answer within 0.05 s (${socket}); is the plugin hung?`,
    });
  });

  it('is sent once where the plugin took it and died', async () => {
    let taken = 0;
    await serve((request) => {
      taken += 1;
      request.socket.destroy();
    });
    await expect(caller({ connectMs: 5000, answerMs: 5000 })('NetworkDriver.Join')).rejects.toMatchObject({
      code: 'RUNTIME',
      message: expect.stringMatching(/gave no answer \(.*\); is it running\?/) as string,
      cause: expect.any(Error) as Error,
    });
    expect(taken).toBe(1);
  });

  it('waits for a plugin that is starting', async () => {
    const asking = caller({ connectMs: 10_000, answerMs: 5000 })('Plugin.Activate');
    // The first attempt finds nobody; the next is made a second later.
    await new Promise((resolve) => setImmediate(resolve));
    await serve((_request, response) => response.end('{"Implements":["NetworkDriver"]}'));
    expect(await asking).toEqual({ Implements: ['NetworkDriver'] });
  });

  it('is made once where nobody needs to wait for it', async () => {
    const call = caller({ connectMs: 60_000, answerMs: 5000 });
    await expect(call('NetworkDriver.Leave', {}, 'once')).rejects.toMatchObject({ code: 'RUNTIME' });
  });

  it('says that nobody listens, and does not wait again for a plugin that has just failed', async () => {
    const call = caller({ connectMs: 100, answerMs: 5000 });
    const nobody = {
      code: 'RUNTIME',
      message: expect.stringMatching(/nobody listens at .*; start the plugin/) as string,
    };
    await expect(call('NetworkDriver.Join')).rejects.toMatchObject(nobody);
    await expect(call('NetworkDriver.Leave')).rejects.toMatchObject(nobody);
  });
});
