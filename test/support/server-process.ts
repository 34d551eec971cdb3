/** A server that a test starts, kills, and starts again on the data that it had. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './lab.ts';

export class ServerProcess {
  /** Of its own, until `stop`. */
  readonly dir: string;
  readonly #name: string;
  #process: ChildProcess | undefined;

  constructor(name: string) {
    this.#name = name;
    this.dir = mkdtempSync(path.join(tmpdir(), `tsnet-${name}-`));
  }

  /** Waits until it serves. @throws Error with what it said, where it ends instead */
  async start(server: ChildProcess, isServing: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    this.#process = server;
    let said = '';
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on('data', (part: Buffer) => {
        said += part.toString();
      });
    }
    await until(() => {
      if (server.exitCode !== null) throw new Error(`${this.#name} ended: ${said}`);
      return isServing();
    }, timeoutMs);
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
    rmSync(this.dir, { recursive: true, force: true });
  }
}
