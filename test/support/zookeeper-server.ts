/** A ZooKeeper of the test's own: its files in the test's folder, its sockets in a namespace of the test. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, type Namespace } from './lab.ts';
import { ServerProcess } from './server-process.ts';

/** Milliseconds: sessions last 2 to 20 of them. */
const TICK_MS = 1000;

export class ZookeeperServer {
  readonly #namespace: Namespace;
  readonly #server = new ServerProcess('zookeeper');

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** Starts it, on the data that it had, and waits until it serves. */
  async start(): Promise<void> {
    const { dir } = this.#server;
    const config = path.join(dir, 'zoo.cfg');
    writeFileSync(
      config,
      [
        `tickTime=${String(TICK_MS)}`,
        `dataDir=${dir}`,
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
    const ask = 'exec 3<>/dev/tcp/127.0.0.1/2181 && printf ruok >&3 && timeout 1 cat <&3';
    const answer = () => run('nsenter', [`--net=${this.#namespace.path}`, 'bash', '-c', ask]);
    await this.#server.start(server, async () => (await answer()).stdout === 'imok', 40_000);
  }

  kill(): Promise<void> {
    return this.#server.kill();
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}
