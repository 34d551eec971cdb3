/**
 * Two hosts on one switch, with an etcd beside them; programs are started on them, each as on a machine of its own.
 *
 *     this namespace: switch `sw` 192.168.77.100, etcd ── up0 192.168.77.1 namespace "h1"
 *                                                      └─ up0 192.168.77.2 namespace "h2"
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { remoteEngine } from '../../src/client/remote-engine.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { runWith } from '../run-with.ts';
import { TSNET } from '../tsnet-host.ts';

export const ETCD_ADDRESS = '192.168.77.100';

export interface Host {
  readonly name: 'h1' | 'h2';
  readonly netns: string;
  readonly address: string;
}

export const HOSTS: readonly [Host, Host] = [
  { name: 'h1', netns: '/run/netns/h1', address: '192.168.77.1' },
  { name: 'h2', netns: '/run/netns/h2', address: '192.168.77.2' },
];

const START_SECONDS = 30;

export async function makeHosts(): Promise<void> {
  const here = [
    'link add sw type bridge mcast_snooping 0',
    `address add ${ETCD_ADDRESS}/24 dev sw`,
    'link set sw up',
    ...HOSTS.flatMap(({ name }) => [
      `netns add ${name}`,
      `link add up-${name} type veth peer name up0 netns ${name}`,
      `link set up-${name} master sw up`,
    ]),
  ];
  await ip(here);
  for (const { name, address } of HOSTS) {
    const there = ['lo up', 'up0 up'].map((link) => `link set ${link}`);
    // dockerd wants a default route.
    await ip([`address add ${address}/24 dev up0`, ...there, `route add default via ${ETCD_ADDRESS}`], '-n', name);
  }
}

/** A namespace that plays a container; its path. */
export async function makeContainer(name: string): Promise<string> {
  await ip([`netns add ${name}`]);
  return `/run/netns/${name}`;
}

async function ip(lines: readonly string[], ...options: readonly string[]): Promise<void> {
  await runWith(lines.map((line) => `${line}\n`).join(''), 'ip', ...options, '-batch', '-');
}

/** Starts a program on a host; it ends with our pid namespace. What it says goes to `heard`. */
export function startOn(
  { netns }: Host,
  [file, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = process.env,
): { readonly process: ChildProcess; readonly heard: () => string } {
  const started = spawn('nsenter', [`--net=${netns}`, file, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let heard = '';
  for (const stream of [started.stdout, started.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (heard += text));
  return { process: started, heard: () => heard };
}

/** Waits until `look` answers something; `what` did not come in time otherwise. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = performance.now() + START_SECONDS * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > end) throw new Error(`${what}: not within ${String(START_SECONDS)} s`);
    await setTimeout(20);
  }
}

/** A daemon of the built tsnet on a host, in the cluster of that etcd; its engine. */
export async function startTsnet(host: Host, dir: string): Promise<Engine> {
  const own = path.join(dir, host.name);
  mkdirSync(own, { recursive: true });
  const config = path.join(own, 'daemon.json');
  writeFileSync(
    config,
    JSON.stringify({
      'cluster-store': `etcd://${ETCD_ADDRESS}:2379`,
      'cluster-advertise': 'up0',
      'firewall-backend': 'nftables',
    }),
  );
  const execRoot = `/run/tsnet-${host.name}`;
  const env = {
    ...process.env,
    TSNET_DATA_ROOT: path.join(own, 'lib'),
    TSNET_EXEC_ROOT: execRoot,
    TSNET_CONFIG: config,
  };
  const daemon = startOn(host, [process.execPath, TSNET, 'daemon', '--log-format', 'text'], env);
  await eventually(`tsnet on ${host.name}`, () => {
    if (daemon.process.exitCode !== null) throw new Error(`tsnet on ${host.name}: ${daemon.heard()}`);
    return daemon.heard().includes(' ready ') ? true : undefined;
  });
  const engine = remoteEngine(path.join(execRoot, 'tsnet.sock'));
  await eventually(`tsnet on ${host.name} in the cluster`, async () =>
    (await engine.info()).daemon?.cluster?.session === 'held' ? true : undefined,
  );
  return engine;
}
