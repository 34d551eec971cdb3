/** A host on which an unmodified Docker has our plugin, and a neighbour on its LAN at 192.168.50.2. */
import { DockerEngine, IMAGE } from './docker-engine.ts';
import { DockerPlugin } from './docker-plugin-process.ts';
import { Lab, until, type FirewallBackend, type Host, type Namespace } from './lab.ts';

const FETCH = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 "$1" "$2"`;

export class DockerStage {
  readonly #lab = new Lab();
  readonly host: Host;
  readonly outside: Namespace;
  readonly docker: DockerEngine;
  readonly plugin: DockerPlugin;

  private constructor(backend: FirewallBackend | undefined) {
    [this.host, this.outside] = [this.#lab.host(), this.#lab.namespace('out')];
    if (backend !== undefined) this.host.useFirewall(backend);
    this.docker = new DockerEngine(this.host, ['--live-restore']);
    this.plugin = new DockerPlugin(this.host, this.docker.socket);
  }

  /** `backend`: absent for that of the environment. */
  static async open(backend?: FirewallBackend): Promise<DockerStage> {
    const stage = new DockerStage(backend);
    await stage.#lab.wire(stage.host, 'eth0', ['192.168.50.1/24'], stage.outside, 'eth0', ['192.168.50.2/24']);
    await stage.plugin.start();
    await stage.docker.start();
    await stage.docker.importImage();
    return stage;
  }

  async close(): Promise<void> {
    await this.clean().catch(() => undefined);
    await this.docker.stop();
    await this.plugin.stop();
    this.docker.endLeftovers();
    this.#lab.close();
  }

  /** Removes all containers and all networks that Docker has. */
  async clean(): Promise<void> {
    const left = (await this.docker.must('ps', '-aq')).split('\n').filter(Boolean);
    if (left.length > 0) await this.docker.must('rm', '-f', ...left);
    await this.docker.must('network', 'prune', '-f');
  }

  /** A network of our driver. */
  createNetwork(...more: readonly string[]): Promise<string> {
    return this.docker.must('network', 'create', '-d', 'tsnet', ...more);
  }

  /** A container that waits. */
  start(name: string, ...more: readonly string[]): Promise<string> {
    return this.docker.must(
      ...['run', '-d', '--stop-timeout', '0', '--name', name, ...more, IMAGE, '/bin/sleep', '1000'],
    );
  }

  /** A container that serves its name on port 80. */
  serve(name: string, ...more: readonly string[]): Promise<string> {
    return this.docker.must(
      ...['run', '-d', '--stop-timeout', '0', '--name', name, ...more, IMAGE, '/bin/sh', '-c'],
      `mkdir -p /www && echo ${name} >/www/index.html && exec httpd -f -h /www -p 80`,
    );
  }

  /** What is answered to `GET /`; "" where nobody answers. */
  async page(from: Namespace, address: string, port: number): Promise<string> {
    return (await from.run('sh', ['-c', FETCH, 'sh', address, String(port)])).stdout;
  }

  answers(from: Namespace, address: string, port: number, text: string): Promise<unknown> {
    return until(async () => (await this.page(from, address, port)).includes(text));
  }

  /** The containers that tsnet knows, by name; [''] for none. */
  async names(): Promise<string[]> {
    return (await this.host.mustTsnet(['ps', '--format', '{{.Name}}'])).split('\n').sort();
  }

  /** The networks that tsnet has besides the predefined ones. */
  async networks(): Promise<string[]> {
    const listed = await this.host.mustTsnet(['ls', '--filter', 'type=custom', '--format', '{{.Name}}']);
    return listed.split('\n').filter(Boolean);
  }

  addressOf(name: string, network: string): Promise<string> {
    return this.docker.must('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
  }
}
