import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must, until } from '../support/lab.ts';
import { Stage } from './kernel-stage.ts';

// Packets to 127.0.0.1:5300 and 5301 are led to a server on 127.0.0.5:5399, as to a published port: replies come from
// another address and port than packets went to.
const SERVER = '127.0.0.5';
const PORTS = [5300, 5301] as const;
let stage: Stage;
let sockets: Socket[] = [];

beforeEach(async () => {
  stage = new Stage();
  const server = createSocket('udp4');
  sockets = [server];
  server.on('message', (message, { port, address }) => {
    server.send(message, port, address);
  });
  await new Promise<void>((resolve) => server.bind(5399, SERVER, resolve));
  for (const port of PORTS) {
    await must('iptables', [
      '-t',
      'nat',
      '-A',
      'OUTPUT',
      '-p',
      'udp',
      '--dport',
      String(port),
      '-j',
      'DNAT',
      '--to',
      `${SERVER}:5399`,
    ]);
  }
  for (const port of PORTS) await talk(port);
});
afterEach(async () => {
  for (const socket of sockets) socket.close();
  await must('iptables', ['-t', 'nat', '-F', 'OUTPUT']);
  await must('conntrack', ['-F']);
  await stage.close();
});

async function talk(port: number): Promise<void> {
  const client = createSocket('udp4');
  sockets.push(client);
  const answered = new Promise((resolve) => client.once('message', resolve));
  client.send('hello', port, '127.0.0.1');
  await answered;
}

/** Original destination ports of the UDP flows that the kernel tracks. */
async function tracked(): Promise<number[]> {
  const table = await must('conntrack', ['-L', '-p', 'udp']);
  return PORTS.filter((port) => table.includes(`dport=${port} `));
}

test('flows of a host port are forgotten, others stay', async () => {
  await until(async () => (await tracked()).length === 2);
  await stage.kernel.forgetFlows([{ family: 4, protocol: 'udp', hostPorts: [5300, 5300] }]);
  expect(await tracked()).toEqual([5301]);
});

test('a range of ports is inclusive', async () => {
  await stage.kernel.forgetFlows([{ family: 4, protocol: 'udp', hostPorts: [5200, 5300] }]);
  expect(await tracked()).toEqual([5301]);
  await stage.kernel.forgetFlows([{ family: 4, hostPorts: [5301, 6000] }]);
  expect(await tracked()).toEqual([]);
});

test.each(['127.0.0.1', SERVER])('flows that %s began or answers are forgotten', async (address) => {
  await stage.kernel.forgetFlows([{ family: 4, address }]);
  expect(await tracked()).toEqual([]);
});

test('every field must fit', async () => {
  await stage.kernel.forgetFlows([
    { family: 4, protocol: 'tcp', hostPorts: [5300, 5301] },
    { family: 6, hostPorts: [5300, 5301] },
    { family: 4, address: '127.0.0.2' },
    { family: 4, protocol: 'udp', hostPorts: [5300, 5301], address: '127.0.0.3' },
    { family: 6, address: '::1' },
  ]);
  expect(await tracked()).toEqual([5300, 5301]);
});

test('many filters at once, and none', async () => {
  await stage.kernel.forgetFlows([]);
  expect(await tracked()).toEqual([5300, 5301]);
  const filters = Array.from({ length: 9 }, (_, index) => ({ family: 4, address: `127.0.0.${9 - index}` }) as const);
  await stage.kernel.forgetFlows(filters);
  expect(await tracked()).toEqual([]);
});
