/** Questions at an even pace from a process of its own in a namespace, as many programs of a container would ask them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Samples } from '../group.ts';

export interface Load {
  /** Path of the namespace to ask from. */
  readonly netns: string;
  /** "127.0.0.11" */
  readonly server: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Asked for in turn; "#" becomes a number that was never used. */
  readonly names: readonly string[];
  /** Leave out the first half second: a program that has just started is slow itself. */
  readonly warm: boolean;
}

/** A socket for each of 64 questions at a time: what comes late is told apart by its id. */
const PROGRAM = `
const { createSocket } = require('node:dgram');
const { server, perSecond, seconds, names, warm } = JSON.parse(process.argv[1]);
const latencies = [], sent = new Map(), total = perSecond * seconds, warmUp = perSecond / 2;
const question = (id, name) => {
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
};
const sockets = Array.from({ length: 64 }, () => createSocket('udp4').on('message', (answer) => {
  const since = sent.get(answer.readUInt16BE(0));
  if (since === undefined || (answer[3] & 15) !== 0 || answer.readUInt16BE(6) === 0) return;
  sent.delete(answer.readUInt16BE(0));
  latencies.push(performance.now() - since);
}));
let count = 0;
const stamp = Date.now().toString(36);
const started = performance.now();
const timer = setInterval(() => {
  const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * perSecond));
  for (; count < due; count += 1) {
    const id = count & 0xffff;
    sent.set(id, performance.now());
    sockets[count % 64].send(question(id, names[count % names.length].replace('#', stamp + count)), 53, server);
  }
  if (count < total) return;
  clearInterval(timer);
  // What is not there by now counts as that late.
  setTimeout(() => {
    for (let lost = latencies.length; lost < total; lost += 1) latencies.push(5000);
    process.stdout.write(JSON.stringify(warm ? latencies.slice(warmUp) : latencies), () => process.exit());
  }, 1000);
}, 1);
`;

/** Milliseconds from question to answer; 5,000 for each that had none. */
export async function ask({ netns, ...load }: Load): Promise<Samples> {
  const { stdout } = await promisify(execFile)(
    'nsenter',
    [`--net=${netns}`, process.execPath, '-e', PROGRAM, JSON.stringify(load)],
    { maxBuffer: 64 << 20 },
  );
  return JSON.parse(stdout) as number[];
}
