import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHeldPorts, type HeldPorts } from '../../src/daemon/held-ports.ts';
import { holdPort } from '../../src/kernel/port-holds.ts';
import { FIREWALL_BACKENDS, run, until, type Namespace } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');
const UDP_ASK = path.resolve(import.meta.dirname, '../support/udp-ask.js');
const UDP_WHO_ASKS = path.resolve(import.meta.dirname, '../support/udp-who-asks.js');

let stage: HealStage;
let ports: HeldPorts;
let web: Namespace;

/** What a program gets that wants a port of the host: "" or the code of the error. */
async function listen(port: number, host: string): Promise<string> {
  const server = createServer();
  server.listen({ port, host, exclusive: true });
  const [error] = (await Promise.race([once(server, 'listening').then(() => [undefined]), once(server, 'error')])) as [
    NodeJS.ErrnoException | undefined,
  ];
  server.close();
  return error?.code ?? '';
}

async function bindUdp(port: number): Promise<string> {
  const socket = createSocket('udp4');
  socket.bind({ port, exclusive: true });
  const [error] = (await Promise.race([once(socket, 'listening').then(() => [undefined]), once(socket, 'error')])) as [
    NodeJS.ErrnoException | undefined,
  ];
  if (error === undefined) socket.close();
  return error?.code ?? '';
}

describe.each(FIREWALL_BACKENDS)('held ports, with %s,', (backend) => {
  beforeEach(() => {
    stage = new HealStage(backend);
    web = stage.lab.namespace('web');
    ports = openHeldPorts({ context: stage.context, log: stage.log, hold: holdPort });
  });
  afterEach(async () => {
    await ports.close();
    await stage.close();
  });

  const publish = async (...wanted: string[]): Promise<void> => {
    await stage.engine.connect({ network: 'bridge', container: web.path, ports: wanted });
    await ports.sync();
  };

  it('are nobody else’s to take, and free again when they are withdrawn', async () => {
    await publish('8080:80', '5353:53/udp');
    expect([await listen(8080, '0.0.0.0'), await listen(8080, '127.0.0.1'), await bindUdp(5353)]).toEqual([
      'EADDRINUSE',
      'EADDRINUSE',
      'EADDRINUSE',
    ]);
    await stage.engine.unpublish({ network: 'bridge', container: web.path, ports: ['8080:80', '5353:53/udp'] });
    await ports.sync();
    expect([await listen(8080, '0.0.0.0'), await bindUdp(5353)]).toEqual(['', '']);
  });

  it('take no packet that is for the container: from outside, from the host, from 127.0.0.1', async () => {
    const client = stage.lab.namespace('client');
    execFileSync('ip', ['link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client.name]);
    execFileSync('sh', ['-c', 'ip address add 192.168.50.1/24 dev lan0; ip link set lan0 up; ip link set lo up']);
    await client.must('sh', ['-c', 'ip address add 192.168.50.9/24 dev eth0; ip link set eth0 up']);
    await publish('8080:80', '5353:53/udp');
    web.start(process.execPath, [WHO_ASKS, '80']);
    web.start(process.execPath, [UDP_WHO_ASKS, '53']);
    for (const address of ['192.168.50.1', '127.0.0.1']) {
      await until(async () => (await run(process.execPath, [FETCH, `http://${address}:8080/`])).status === 0);
      await until(async () => (await run(process.execPath, [UDP_ASK, address, '5353'])).status === 0);
    }
    await until(async () => (await client.run(process.execPath, [FETCH, 'http://192.168.50.1:8080/'])).status === 0);
    await until(async () => (await client.run(process.execPath, [UDP_ASK, '192.168.50.1', '5353'])).status === 0);
    execFileSync('ip', ['link', 'delete', 'lan0']);
  });

  it('never complete a handshake: what comes past the rules is refused', async () => {
    await publish('8080:80');
    execFileSync('nft', ['flush', 'ruleset']);
    const { status, stderr } = await run(
      'sh',
      ['-c', 'exec 3<>/dev/tcp/127.0.0.1/8080'].map((a) => a),
      {},
    );
    expect({ status, stderr }).not.toMatchObject({ status: 0 });
    expect((await run('bash', ['-c', 'exec 3<>/dev/tcp/127.0.0.1/8080'])).stderr).toContain('refused');
  });

  it('are no obstacle to ourselves: unpublished and published again by this process and by another', async () => {
    const other = stage.lab.namespace('other');
    await publish('8080:80', '5353:53/udp');
    const move = ['8080:80', '5353:53/udp'];
    // The daemon does not know yet that they are free: it still holds them.
    await stage.tsnet(['disconnect', 'bridge', web.path]);
    await stage.tsnet(['connect', '-p', '8080:80', '-p', '5353:53/udp', 'bridge', other.path]);
    await ports.sync();
    await stage.tsnet(['unpublish', 'bridge', other.path, ...move]);
    await stage.engine.publish({ network: 'bridge', container: other.path, ports: move });
    await stage.engine.unpublish({ network: 'bridge', container: other.path, ports: move });
    await stage.tsnet(['publish', 'bridge', other.path, ...move]);
    await ports.sync();
    expect(ports.state()).toEqual({ held: 2, taken: [] });
  });

  it('that are taken are told once, tried again, and keep no other from being held', async () => {
    await stage.engine.connect({ network: 'bridge', container: web.path, ports: ['8080:80', '8081:80'] });
    const server = createServer().listen(8080, '0.0.0.0');
    await once(server, 'listening');
    await ports.sync();
    await ports.sync();
    expect(ports.state()).toMatchObject({
      held: 1,
      taken: [{ port: 8080, reason: expect.stringMatching(/another program/) as string }],
    });
    expect(ports.state().taken[0]?.holder).toContain(String(process.pid));
    expect(stage.logged.filter(({ level }) => level === 'warn')).toHaveLength(1);
    server.close();
    await until(() => ports.state().held === 2 && ports.state().taken.length === 0, 8_000);
  });

  it('are looked at of the containers that changed alone; one may go from one container to another', async () => {
    const [other, third] = [stage.lab.namespace('other'), stage.lab.namespace('third')];
    const connect = async ({ path: container }: Namespace, port: string): Promise<ReadonlySet<string>> =>
      new Set([(await stage.engine.connect({ network: 'bridge', container, ports: [port] })).endpoint.sandboxId]);
    const first = await connect(web, '8080:80');
    await ports.sync(first);
    await stage.engine.disconnect({ network: 'bridge', container: web.path });
    const second = await connect(other, '8080:80');
    await connect(third, '8082:80');
    await ports.sync(second);
    await ports.sync(first);
    expect([await listen(8080, '0.0.0.0'), await listen(8082, '0.0.0.0')]).toEqual(['EADDRINUSE', '']);
    await ports.sync();
    expect([ports.state().held, await listen(8082, '0.0.0.0')]).toEqual([2, 'EADDRINUSE']);
  });

  it('of a range are its first 256', async () => {
    await publish('20000-20999:20000-20999');
    expect(ports.state().held).toBe(256);
    expect(await listen(20255, '0.0.0.0')).toBe('EADDRINUSE');
    expect(await listen(20256, '0.0.0.0')).toBe('');
  });
});
