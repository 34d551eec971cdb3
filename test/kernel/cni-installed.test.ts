/** The program that `tsnet cni install` writes: what it has a daemon do, and what becomes of a call when there is none, or one that fails. */
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  cni,
  installPlugin,
  leftovers,
  mustCni,
  NOTHING,
  refusal,
  type CniCall,
  type Json,
} from '../support/cni-stage.ts';
import { Lab, must, run, type Host, type Namespace } from '../support/lab.ts';

const PODS: Json = { cniVersion: '1.1.0', name: 'pods', type: 'tsnet', bridge: 'cni0', subnet: '10.22.0.0/16' };

const lab = new Lab();
let host: Host;
let container: Namespace;
let file: string;
let call: CniCall;

beforeAll(async () => {
  host = lab.host();
  container = lab.namespace('c');
  file = await installPlugin(host);
  call = { config: PODS, netns: container.path };
});
afterAll(() => {
  lab.close();
});

/** Does something while there is no plugin for Node.js to run. */
async function withoutNode(work: () => Promise<void>): Promise<void> {
  const text = await must('cat', [file]);
  writeFileSync(file, text.replaceAll(/'[^']*tsnet-cni\.js'/g, "'/nowhere/tsnet-cni.js'"));
  await work();
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}

test('a daemon is asked without Node.js, and a call that there is none for is carried out all the same', async () => {
  await mustCni(host, 'ADD', call);
  await mustCni(host, 'DEL', call);
  await host.startDaemon();
  await withoutNode(async () => {
    const added = await mustCni(host, 'ADD', call);
    expect(await mustCni(host, 'CHECK', { ...call, config: { ...PODS, prevResult: added } })).toEqual({});
    expect(await refusal(host, 'ADD', call)).toMatchObject({ cniVersion: '1.1.0', msg: expect.any(String) as string });
    await mustCni(host, 'DEL', call);
    // Whatever its values have in them.
    const odd = `IgnoreUnknown=1;K8S_POD_NAME=a"b'c\n$(id)&x=%41;é=@/etc/passwd`;
    await mustCni(host, 'DEL', { ...call, args: odd });
    expect((await cni(host, 'STATUS', { config: PODS })).stdout).toBe('');
    expect(await refusal(host, 'NONE', call)).toMatchObject({ code: 4 });
  });
  expect(await leftovers(host)).toEqual(NOTHING);
});

test('what another IPAM plugin has a part in stays with the caller', async () => {
  const delegated = {
    ...PODS,
    cniVersion: '1.0.0',
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.22.0.0/16' }]], dataDir: path.join(host.dir, 'host-local') },
  };
  const added = await mustCni(host, 'ADD', { ...call, config: delegated });
  expect(added).toMatchObject({ ips: [{ address: expect.stringMatching(/^10\.22\./) as string }] });
  await mustCni(host, 'DEL', { ...call, config: delegated });
});

test('no input and no environment makes it print anything but one document', { timeout: 120_000 }, async () => {
  const text = fc.option(
    fc.string().map((each) => each.replaceAll('\0', '')),
    { nil: undefined },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'add', 'VERSION'),
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.jsonValue().map((value) => JSON.stringify(value)),
        fc.jsonValue().map((value) => JSON.stringify({ ...PODS, runtimeConfig: value })),
      ),
      fc.record({ CNI_CONTAINERID: text, CNI_NETNS: text, CNI_IFNAME: text, CNI_ARGS: text }),
      async (command, input, given) => {
        const env = Object.fromEntries(
          Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
        );
        const { status, stdout } = await host.run(file, [], { env: { CNI_COMMAND: command, ...env }, input });
        expect([0, 1]).toContain(status);
        if (stdout === '') expect(status).toBe(0);
        else expect(JSON.parse(stdout)).toHaveProperty('cniVersion');
      },
    ),
    { numRuns: 60 },
  );
  expect((await leftovers(host)).links).toEqual([]);
});

test('a daemon that falls silent in the middle of a call is told of, and nothing is done twice', async () => {
  await host.stopDaemon();
  const server: Server = createServer((peer) => peer.once('data', () => peer.destroy()));
  await new Promise<void>((resolve) => server.listen(host.socket, resolve));
  try {
    expect(await refusal(host, 'ADD', call)).toEqual({
      cniVersion: '1.1.0',
      code: 107,
      msg: `ask the daemon at ${host.socket}: it did not answer; what it was doing it finishes or undoes`,
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  // A socket that nobody listens at any more.
  await mustCni(host, 'ADD', call);
  await mustCni(host, 'DEL', call);
});

test('without curl at hand it is Node.js that asks', async () => {
  await host.startDaemon();
  const text = await must('cat', [file]);
  writeFileSync(file, text.replaceAll('/usr/bin/curl', '/nowhere/curl'));
  await mustCni(host, 'ADD', call);
  await mustCni(host, 'DEL', call);
  writeFileSync(file, text);
  expect((await run('sh', ['-n', file])).status).toBe(0);
});
