/** `tsnet docker-plugin` as a process on a host. */
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { TSNET, until, type Host } from './lab.ts';

const CLOCK = path.resolve(import.meta.dirname, 'shifted-clock.js');

export class DockerPlugin {
  readonly #host: Host;
  readonly #dockerSocket: string;
  #process: ChildProcess | undefined;
  #log = '';

  constructor(host: Host, dockerSocket: string) {
    this.#host = host;
    this.#dockerSocket = dockerSocket;
  }

  /** Waits until it answers. `laterMs`: it believes that it is so much later. */
  async start(laterMs = 0): Promise<void> {
    this.#log = '';
    const later = laterMs === 0 ? {} : { NODE_OPTIONS: `--import=${CLOCK}`, TEST_LATER_MS: String(laterMs) };
    const plugin = this.#host.start(
      process.execPath,
      [TSNET, 'docker-plugin', '--log-format', 'text', '--docker-host', `unix://${this.#dockerSocket}`],
      { env: { ...this.#host.env, ...later } },
    );
    plugin.stderr?.on('data', (part: Buffer) => {
      this.#log += part.toString();
    });
    this.#process = plugin;
    await until(() => {
      if (plugin.exitCode !== null) throw new Error(`the plugin ended: ${this.#log}`);
      return this.#log.includes(' ready ');
    }, 20_000);
  }

  log(): string {
    return this.#log;
  }

  /** Its exit status. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    const plugin = this.#process;
    this.#process = undefined;
    if (plugin === undefined || plugin.exitCode !== null || plugin.signalCode !== null) return plugin?.exitCode ?? null;
    const ended = new Promise((resolve) => plugin.once('exit', resolve));
    plugin.kill(signal);
    await ended;
    return plugin.exitCode;
  }
}
