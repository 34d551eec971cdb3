/**
 * What the tests of Docker plugins share: a host with tsnet, and the plugin of the tests (`support/docker-plugin.js`) on it, in the
 * folder where Docker's plugins are. /run is the tests' own.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Lab, until, type Host } from '../support/lab.ts';

const PLUGIN = path.resolve(import.meta.dirname, '../support/docker-plugin.js');
const SOCKETS = '/run/docker/plugins';

export const SOCKET = path.join(SOCKETS, 'weaver.sock');

export interface PluginCall {
  readonly method: string;
  readonly request: Readonly<Record<string, unknown>>;
}

export class PluginStage {
  readonly lab = new Lab();
  readonly host: Host = this.lab.host();
  #plugin: ChildProcess | undefined;

  async start(): Promise<void> {
    mkdirSync(SOCKETS, { recursive: true });
    rmSync(SOCKET, { force: true });
    const plugin = this.host.start(process.execPath, [PLUGIN, SOCKET, this.host.dir]);
    this.#plugin = plugin;
    let heard = '';
    plugin.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    await until(() => heard.includes('listening'));
  }

  /** `leaving`: what a killed program leaves, a socket where nobody listens. */
  async kill(leaving: 'nothing' | 'socket' = 'nothing'): Promise<void> {
    const plugin = this.#plugin;
    plugin?.kill('SIGKILL');
    await until(() => plugin?.exitCode !== null || plugin.signalCode !== null);
    if (leaving === 'nothing') rmSync(SOCKET, { force: true });
  }

  /** What goes wrong from now on. */
  behave(behaviour: unknown): void {
    writeFileSync(path.join(this.host.dir, 'behave.json'), JSON.stringify(behaviour));
  }

  /** What the plugin was asked, in order. */
  calls(): PluginCall[] {
    const log = readFileSync(path.join(this.host.dir, 'calls.log'), 'utf8');
    return log
      .trim()
      .split('\n')
      .map((line) => {
        const blank = line.indexOf(' ');
        const text = blank < 0 ? '' : line.slice(blank + 1);
        return {
          method: blank < 0 ? line : line.slice(0, blank),
          request: text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>),
        };
      });
  }

  /** The methods alone: "Join". */
  asked(): string[] {
    return this.calls().map(({ method }) => method.replace(/^.*\./, ''));
  }

  requestsOf(method: string): PluginCall['request'][] {
    return this.calls()
      .filter((call) => call.method.endsWith(`.${method}`))
      .map(({ request }) => request);
  }

  async links(): Promise<string> {
    return (await this.host.must('ip', ['-o', 'link'])).replace(/^.*: lo:.*$/m, '');
  }

  /** Networks of one's own, endpoints, leases, and changes that are not finished. */
  async counts(): Promise<Readonly<Record<string, number>>> {
    const { networks, endpoints, leases, pending } = JSON.parse(
      await this.host.mustTsnet(['info', '--format', 'json']),
    ) as Readonly<Record<'networks' | 'endpoints' | 'leases' | 'pending', number>>;
    return { networks: networks - 3, endpoints, leases, pending };
  }

  close(): void {
    this.lab.close();
    rmSync(SOCKETS, { recursive: true, force: true });
  }
}
