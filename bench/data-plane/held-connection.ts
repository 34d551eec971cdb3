/**
 * TCP with both ends in one thread: throughput, round trips and whole connections of one processor.
 *
 * `iperf3` between the same namespaces gives the same order on two processors, and varies by a quarter from run to run where this
 * varies by a few hundredths: no wake-ups, no migration, and samples of milliseconds that can be taken in turn.
 */
import { closeSync } from 'node:fs';
import { accept, connect, listen, tryDrop, trySend, within } from './sockets.ts';

export interface Ends {
  /** Namespaces. */
  readonly client: string;
  readonly server: string;
  /** Where the client connects to. */
  readonly address: string;
  readonly port: number;
  /** Where the server listens; behind a published port another one. */
  readonly serverPort: number;
}

export interface HeldConnection {
  /** Gbit/s of payload from client to server, over `bytes`. */
  stream(bytes: number): number;
  /** µs of a one-byte question and its one-byte answer, the mean of `count`. */
  roundTrip(count: number): number;
}

const CHUNK = 1 << 20;
const chunk = Buffer.alloc(CHUNK);
const pause = new Int32Array(new SharedArrayBuffer(4));
const PATIENCE = 10_000;

/** Packets that the kernel left to a thread of its own are carried on only while we sleep. */
function letKernelWork(idle: number): void {
  if (idle > PATIENCE) throw new Error('a connection stands still');
  if (idle > 10) Atomics.wait(pause, 0, 0, 0.1);
}

export function holdConnection({ client, server, address, port, serverPort }: Ends): HeldConnection {
  const listener = within(server, () => listen(serverPort));
  const asking = within(client, () => connect(address, port));
  const answering = accept(listener);
  closeSync(listener);
  const pass = (from: number, to: number): void => {
    trySend(from, chunk, 1);
    for (let idle = 1; tryDrop(to, 1) === 0; idle += 1) letKernelWork(idle);
  };
  const dropAll = (): number => {
    let dropped = 0;
    for (let taken = tryDrop(answering, CHUNK); taken > 0; taken = tryDrop(answering, CHUNK)) dropped += taken;
    return dropped;
  };
  return {
    stream(bytes) {
      const started = performance.now();
      for (let sent = 0, received = 0, idle = 0; received < bytes;) {
        const pushed = sent < bytes ? trySend(asking, chunk, Math.min(CHUNK, bytes - sent)) : 0;
        const pulled = dropAll();
        sent += pushed;
        received += pulled;
        idle = pushed + pulled > 0 ? 0 : idle + 1;
        if (idle > 0) letKernelWork(idle);
      }
      return (bytes * 8) / 1e6 / (performance.now() - started);
    },
    roundTrip(count) {
      const started = performance.now();
      for (let trip = 0; trip < count; trip += 1) {
        pass(asking, answering);
        pass(answering, asking);
      }
      return ((performance.now() - started) * 1000) / count;
    },
  };
}

/** Whole connections: socket, connect, accept, close at both ends. Milliseconds for `count`. */
export function connections({ client, server, address, port, serverPort }: Ends): (count: number) => number {
  const listener = within(server, () => listen(serverPort));
  return (count) =>
    within(client, () => {
      const started = performance.now();
      for (let made = 0; made < count; made += 1) {
        const asking = connect(address, port);
        closeSync(accept(listener));
        closeSync(asking);
      }
      return performance.now() - started;
    });
}
