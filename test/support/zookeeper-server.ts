/** A ZooKeeper of the test's own: its files in the test's folder, its sockets in a namespace of the test. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, until, type Namespace } from './lab.ts';

/** Milliseconds: sessions last 2 to 20 of them. */
const TICK_MS = 1000;

export class ZookeeperServer {
  readonly #namespace: Namespace;
  readonly #dir = mkdtempSync(path.join(tmpdir(), 'tsnet-zookeeper-'));
  #process: ChildProcess | undefined;
  #log = '';

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** Starts it, on the data that it had, and waits until it serves. */
  async start(): Promise<void> {
    const config = path.join(this.#dir, 'zoo.cfg');
    writeFileSync(
      config,
      [
        `tickTime=${String(TICK_MS)}`,
        `dataDir=${this.#dir}`,
        'clientPort=2181',
        'maxClientCnxns=0',
        'admin.enableServer=false',
        '4lw.commands.whitelist=ruok',
      ].join('\n'),
    );
    // A small machine for a small server: most of its start is compiling.
    const java = ['-Xmx96m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];
    const jars = ['/usr/share/java/zookeeper.jar', '/usr/share/java/slf4j-nop.jar', '/usr/share/java/*'].join(':');
    const main = 'org.apache.zookeeper.server.ZooKeeperServerMain';
    const server = this.#namespace.start('java', [...java, '-cp', jars, main, config]);
    this.#process = server;
    this.#log = '';
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.#log += part.toString();
      });
    }
    await until(async () => {
      if (server.exitCode !== null) throw new Error(`zookeeper ended: ${this.#log}`);
      const ask = 'exec 3<>/dev/tcp/127.0.0.1/2181 && printf ruok >&3 && timeout 1 cat <&3';
      return (await run('nsenter', [`--net=${this.#namespace.path}`, 'bash', '-c', ask])).stdout === 'imok';
    }, 40_000);
  }

  async kill(): Promise<void> {
    const server = this.#process;
    if (server?.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
