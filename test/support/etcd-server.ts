/** An etcd of the test's own: its files in the test's folder, its sockets in a namespace of the test. */
import path from 'node:path';
import { run, type Namespace } from './lab.ts';
import { ServerProcess } from './server-process.ts';

export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface EtcdPlace {
  readonly namespace: Namespace;
  /** Where it listens, port 2379. */
  readonly addresses: readonly string[];
  /** Its own certificate, and who must have signed those of its clients. */
  readonly tls?: EtcdTls;
  /** One of several: all members by the address at which the others find them, port 2380. */
  readonly members?: readonly string[];
}

export class EtcdServer {
  readonly #place: EtcdPlace;
  readonly #server = new ServerProcess('etcd');

  constructor(place: EtcdPlace) {
    this.#place = place;
  }

  /** Starts it, on the data that it had, and waits until it serves: one of several needs the most of them for that. */
  async start(): Promise<void> {
    const { namespace, addresses, tls, members = ['127.0.0.1'] } = this.#place;
    const own = addresses.find((address) => members.includes(address)) ?? '127.0.0.1';
    const peers = members.map((address) => `${address}=http://${address}:2380`);
    const urls = [...addresses, '127.0.0.1'].map(
      (address) => `${tls === undefined ? 'http' : 'https'}://${address}:2379`,
    );
    const server = namespace.start('etcd', [
      ...['--name', own, '--data-dir', path.join(this.#server.dir, 'data'), '--log-level', 'error', '--logger', 'zap'],
      ...['--listen-client-urls', urls.join(), '--advertise-client-urls', urls.join()],
      ...['--listen-peer-urls', `http://${own}:2380`, '--initial-advertise-peer-urls', `http://${own}:2380`],
      ...['--initial-cluster', peers.join()],
      ...(tls === undefined ? [] : ['--cert-file', tls.cert, '--key-file', tls.key]),
      ...(tls === undefined ? [] : ['--trusted-ca-file', tls.ca, '--client-cert-auth']),
    ]);
    await this.#server.start(server, async () => (await this.ctl('endpoint', 'health')).status === 0, 30_000);
  }

  /** `etcdctl` on the server's host. */
  async ctl(
    ...args: readonly string[]
  ): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
    const { namespace, tls } = this.#place;
    const trust = tls === undefined ? [] : ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key];
    const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:2379`;
    return run('nsenter', [`--net=${namespace.path}`, 'etcdctl', '--endpoints', endpoint, ...trust, ...args], {
      env: { ETCDCTL_API: '3' },
    });
  }

  /** Forgets all revisions before now. */
  async compact(): Promise<void> {
    const { stdout } = await this.ctl('get', 'nothing', '--write-out', 'json');
    const { revision } = (JSON.parse(stdout) as { readonly header: { readonly revision: number } }).header;
    const { status, stderr } = await this.ctl('compact', String(revision));
    if (status !== 0) throw new Error(`compact: ${stderr}`);
  }

  kill(): Promise<void> {
    return this.#server.kill();
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}
