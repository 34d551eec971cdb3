/** How soon somebody answers a ping: asked from this process, since starting ping(8) takes longer than what is measured. */
import { closeSync } from 'node:fs';
import { openEcho, tryDropPacket, trySend, within } from './sockets.ts';

/** ICMP echo request: type 8, code 0, its checksum, identifier and sequence 0. */
const ECHO = Buffer.from([8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
/** Between two questions; the first ones may be lost for good, as those of ping(8) may. */
const ASK_EVERY_MS = 2;
const LOOK_EVERY_MS = 0.1;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Asks `address` from the namespace at `netns` until it answers. This thread does nothing else. @throws Error when it never does */
export function untilAnswered(netns: string, address: string, patienceMs: number): void {
  const fd = within(netns, () => openEcho(address));
  const end = performance.now() + patienceMs;
  try {
    while (performance.now() < end) {
      trySend(fd, ECHO);
      const next = performance.now() + ASK_EVERY_MS;
      while (performance.now() < next) {
        if (tryDropPacket(fd)) return;
        Atomics.wait(pause, 0, 0, LOOK_EVERY_MS);
      }
    }
  } finally {
    closeSync(fd);
  }
  throw new Error(`${address} does not answer within ${String(patienceMs)} ms`);
}
