/** What clients do wrong, by accident or on purpose, costs them an answer and the daemon nothing. */
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, must, until, type Host, type Namespace } from '../support/lab.ts';
import { ask, askJson, sendBytes } from '../support/raw-http.ts';

let lab: Lab;
let host: Host;
let daemon: ChildProcess;

beforeEach(async () => {
  lab = new Lab();
  host = lab.host();
  daemon = await host.startDaemon();
});
afterEach(() => {
  lab.close();
});

/** Everything on record, without times. */
async function ledger(): Promise<string> {
  const networks = await host.mustTsnet(['ls', '--no-trunc', '--format', '{{.ID}} {{.Name}}']);
  const leases = networks.split('\n').map(async (line) => {
    const { json } = await askJson(host.socket, { path: `/tsnet/v1/networks/${line.split(' ')[0] ?? ''}/leases` });
    return JSON.stringify(json);
  });
  const ps = await host.mustTsnet(['ps', '--no-trunc', '--format', '{{.ID}} {{.Name}} {{.Networks}} {{.Ports}}']);
  return [networks, ...(await Promise.all(leases)), ps, await host.mustTsnet(['diff'])].join('\n');
}

const json = fc.json({ maxDepth: 3 });
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '..',
    '%2e%2e',
    '%00',
    '%',
    '%zz',
    '%c3%28',
    '\u0000',
    '../../etc/passwd',
    'bridge',
    'host',
    'none',
    '*',
    '/',
  ),
  fc.integer({ min: 100, max: 12_000 }).map((length) => 'a'.repeat(length)),
);
const path = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', '', '/v1.41', '/v1.41', '/v1.55', '/v1.39', '/v9', '/v1.999999999999', '/v', '//', '/..'),
      fc.constantFrom(
        '/networks',
        '/containers',
        '/events',
        '/info',
        '/version',
        '/_ping',
        '/tsnet/v1/networks',
        '/tsnet/v1/sandboxes',
        '/nope',
      ),
      // Now and then what is right: the others are next to it.
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 3, arbitrary: fc.array(text, { maxLength: 3 }) }),
      fc.constantFrom(
        '',
        '',
        '',
        '/connect',
        '/disconnect',
        '/json',
        '/create',
        '/leases',
        '?filters={',
        '?filters={"name":["("]}',
        '?until=0',
      ),
    )
    .map(([prefix, resource, parts, rest]) => `${prefix}${resource}${parts.map((part) => `/${part}`).join('')}${rest}`),
  text.map((part) => `/${part}`),
);
/** Bytes that node's own client would refuse to send are encoded; a "%" stays as it is. */
const sendable = (raw: string): string =>
  raw.replace(/[^\x21-\x7e]/gu, (each) => encodeURIComponent(/\p{Cs}/u.test(each) ? '?' : each));

const body = fc.oneof(
  json,
  fc.string({ maxLength: 60 }),
  fc.constantFrom('', '{', '[]', 'null', '{}{}', '{"__proto__":{"a":1}}', '{"Name":"x","Name":5}'),
  fc
    .record(
      {
        Name: fc.oneof(fc.constantFrom('', ' ', '-x', 'bridge', 'default', 'a\nb'), fc.jsonValue({ maxDepth: 1 })),
        Driver: fc.oneof(fc.constantFrom('nope', 'host', '../x'), fc.jsonValue({ maxDepth: 1 })),
        IPAM: fc.jsonValue({ maxDepth: 3 }),
        Options: fc.jsonValue({ maxDepth: 2 }),
        Container: fc.oneof(
          fc.constantFrom('', '/', 'netns:', 'netns:../x', 'pid:0', 'pid:x', 'docker:x', '/etc/passwd'),
          fc.jsonValue(),
        ),
        EndpointConfig: fc.jsonValue({ maxDepth: 3 }),
        Force: fc.jsonValue({ maxDepth: 1 }),
      },
      { requiredKeys: [] },
    )
    // Nothing that could be done.
    .map((fields) => JSON.stringify({ ...fields, ConfigOnly: true })),
);

describe('requests that cannot be right', () => {
  it('are refused with a status of their own fault, and change nothing', { timeout: 240_000 }, async () => {
    await host.mustTsnet(['create', 'web']);
    await host.mustTsnet(['connect', 'web', `netns:${lab.namespace('box').name}`]);
    const before = await ledger();
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'PROPFIND');
    const type = fc.constantFrom('application/json', 'text/plain', 'application/json; charset=latin1', 'x', '');
    const seen = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(method, path, body, type, async (verb, where, what, contentType) => {
        const target = sendable(where);
        // What names a thing that is there could be right; streams end by themselves.
        fc.pre(!(verb === 'DELETE' && /web|box/.test(target)) && !/\/events/.test(target));
        const answer = await ask(host.socket, {
          method: verb,
          path: target,
          ...(verb === 'GET' || verb === 'HEAD' ? {} : { body: what }),
          headers: { 'content-type': contentType },
        });
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
        expect([verb, target, what, answer.status >= 500 ? answer.text : '']).toEqual([verb, target, what, '']);
        if (answer.status >= 400 && answer.status !== 431 && verb !== 'HEAD')
          expect(JSON.parse(answer.text)).toHaveProperty('message');
      }),
      { numRuns: 1500, examples: [['GET', '/v1.41/networks', '', '']] },
    );
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 404]));
    expect(await ledger()).toBe(before);
    expect(daemon.exitCode).toBeNull();
  });

  it('may be no HTTP at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        await sendBytes(host.socket, Buffer.from(bytes), 50);
      }),
      { numRuns: 60 },
    );
    expect(await sendBytes(host.socket, 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n')).toContain(' 400 ');
    expect((await ask(host.socket, { path: '/_ping' })).status).toBe(200);
  });

  it('may be larger than anything that is meant', async () => {
    const large = JSON.stringify({ Name: 'x', Labels: { a: 'b'.repeat(2 << 20) } });
    // The answer comes before the body is through, so that its writer may see the connection end.
    const outcome = await ask(host.socket, { method: 'POST', path: '/networks/create', body: large }).catch(
      () => undefined,
    );
    expect([undefined, 400, 413]).toContain(outcome?.status);
    const deep = '['.repeat(100_000);
    expect((await ask(host.socket, { method: 'POST', path: '/networks/create', body: deep })).status).toBe(400);
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'type=custom'])).toBe('');
  });

  it('may never end: who sends half of one hinders nobody', async () => {
    const halves = Array.from({ length: 50 }, () => {
      const slow = connect(host.socket);
      slow.on('error', () => undefined);
      slow.write(
        'POST /networks/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"Name":',
      );
      return slow;
    });
    expect(await host.mustTsnet(['create', 'web'])).toMatch(/^[0-9a-f]{64}$/);
    for (const half of halves) half.destroy();
    expect(await host.mustTsnet(['ls', '--filter', 'type=custom', '--format', '{{.Name}}'])).toBe('web');
  });
});

function openFiles(): number {
  return readdirSync(`/proc/${String(daemon.pid)}/fd`).length;
}

/** Resident memory in MiB. */
function memory(): number {
  const status = readFileSync(`/proc/${String(daemon.pid)}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

describe('twenty clients at once', () => {
  const CLIENTS = 20;
  const ROUNDS = 50;
  /** Garbage that waits to be collected, and what libraries keep after their first use. */
  const MEMORY_SLACK_MIB = 64;

  it('connect and disconnect 1,000 times: no lease, no file and no memory is lost', { timeout: 300_000 }, async () => {
    await host.mustTsnet(['create', '--subnet', '10.40.0.0/24', 'web']);
    const boxes = Array.from({ length: CLIENTS }, () => lab.namespace('box'));
    const change = async (box: Namespace, verb: 'connect' | 'disconnect'): Promise<void> => {
      const { status, json } = await askJson(host.socket, {
        method: 'POST',
        path: `/v1.41/networks/web/${verb}`,
        body: { Container: `netns:${box.name}` },
      });
      if (status !== 200) throw new Error(`${verb} ${box.name}: ${String(status)} ${JSON.stringify(json)}`);
    };
    const round = async (box: Namespace): Promise<void> => {
      await change(box, 'connect');
      await change(box, 'disconnect');
    };
    // What is loaded and opened once is there before it is counted.
    for (let warm = 0; warm < 5; warm++) await Promise.all(boxes.map(round));
    const before = { files: openFiles(), memory: memory() };
    await Promise.all(
      boxes.map(async (box) => {
        for (let index = 0; index < ROUNDS; index++) await round(box);
      }),
    );
    const leases = (await askJson(host.socket, { path: '/tsnet/v1/networks/web/leases' })).json as {
      readonly holder: { readonly kind: string };
    }[];
    expect(leases.filter(({ holder }) => holder.kind === 'endpoint')).toEqual([]);
    await until(() => openFiles() <= before.files, 10_000);
    expect(memory()).toBeLessThan(before.memory + MEMORY_SLACK_MIB);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await must('ip', ['-n', host.name, '-o', 'link'])).not.toContain('veth');
  });
});
