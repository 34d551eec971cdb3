import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { statSync, readlinkSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Listener } from '../../src/plan/kernel.ts';
import { Stage } from './kernel-stage.ts';

let stage: Stage;
const closers: (() => void)[] = [];
beforeEach(() => {
  stage = new Stage();
});
afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await stage.close();
});

async function listen(port: number, host: string, ipv6Only = false): Promise<void> {
  const server = createServer();
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen({ port, host, ipv6Only }, resolve));
}

async function bind(port: number, address: string): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  closers.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(port, address, resolve));
}

async function on(port: number, protocol: 'tcp' | 'udp'): Promise<string[]> {
  const listeners = await stage.kernel.listeners([protocol]);
  return listeners
    .filter((listener) => listener.port === port)
    .map(({ address }) => address)
    .sort();
}

test('a listening TCP socket is told with its address', async () => {
  await listen(8101, '127.0.0.1');
  expect(await on(8101, 'tcp')).toEqual(['127.0.0.1']);
  expect(await on(8101, 'udp')).toEqual([]);
});

test('an IPv6 wildcard that takes IPv4 too is told once for each family', async () => {
  await listen(8102, '::');
  expect(await on(8102, 'tcp')).toEqual(['0.0.0.0', '::']);
});

test('an IPv6 wildcard for IPv6 alone is told once', async () => {
  await listen(8103, '::', true);
  expect(await on(8103, 'tcp')).toEqual(['::']);
});

test('an IPv6 socket on an IPv4-mapped address holds the port of the IPv4 address', async () => {
  await bind(8109, '::ffff:127.0.0.1');
  expect(await on(8109, 'udp')).toEqual(['127.0.0.1']);
});

test('bound UDP sockets are told', async () => {
  await bind(8104, '127.0.0.1');
  await bind(8105, '::1');
  expect(await on(8104, 'udp')).toEqual(['127.0.0.1']);
  expect(await on(8105, 'udp')).toEqual(['::1']);
});

test('a UDP socket with a peer holds no port for others', async () => {
  const socket = createSocket('udp4');
  closers.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(8106, '127.0.0.1', resolve));
  expect(await on(8106, 'udp')).toEqual(['127.0.0.1']);
  await new Promise<void>((resolve) => {
    socket.connect(9, '127.0.0.1', resolve);
  });
  expect(await on(8106, 'udp')).toEqual([]);
});

test('the holder of a socket is named with its pid', async () => {
  await listen(8107, '127.0.0.1');
  const [listener] = (await stage.kernel.listeners(['tcp'])).filter(({ port }) => port === 8107) as [Listener];
  expect(stage.kernel.socketHolder(listener.inode)).toMatch(new RegExp(`^.+ \\(pid ${process.pid}\\)$`));
  const inodes = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  expect(inodes).toContain(`socket:[${listener.inode}]`);
  expect(stage.kernel.socketHolder(statSync('/').ino + 4_000_000_000)).toBeUndefined();
});

test('every protocol can be asked for at once', async () => {
  await listen(8108, '127.0.0.1');
  await bind(8108, '127.0.0.1');
  const listeners = (await stage.kernel.listeners(['tcp', 'udp', 'sctp', 'tcp'])).filter(({ port }) => port === 8108);
  expect(listeners.map(({ protocol }) => protocol)).toEqual(['tcp', 'udp']);
});
