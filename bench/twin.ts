/**
 * The same measure on several hosts in turn, for example of different sizes: each is a process in namespaces of its own, filled
 * once, and asked for one sample at a time. So "after 10,000" and "after none" meet the same noise.
 */
import { spawn } from 'node:child_process';
import { Skipped } from './group.ts';
import { ISOLATED, thisProgram } from './isolated.ts';
import type { Backend } from './tsnet-host.ts';

/** What a twin is told; it goes through the command line as JSON. */
export interface TwinRequest {
  readonly scenario: string;
  readonly backend: Backend;
  /** How much is there before the first sample. */
  readonly size: number;
  /** A folder on disk of its own. */
  readonly dir: string;
}

/** One sample: numbers by name, each in the unit that its row says. */
export type Sample = Readonly<Record<string, number>>;

/** Fills a host and answers how to take one sample. Runs in the twin. */
export type Scenario = (request: TwinRequest) => Promise<() => Promise<Sample>>;

export interface Twin {
  sample(): Promise<Sample>;
  close(): void;
}

/** What a twin says: first that it is filled, then a sample for each question. */
export type TwinMessage =
  { readonly sample: Sample } | { readonly filled: true } | { readonly failed: string } | { readonly skipped: string };

/** Resolves when the twin's host is filled. */
export async function openTwin(request: TwinRequest): Promise<Twin> {
  const child = spawn('unshare', [...ISOLATED, process.execPath, thisProgram(), '--twin', JSON.stringify(request)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const next = (): Promise<TwinMessage> =>
    new Promise((resolve, reject) => {
      const ended = (): void => {
        reject(new Error(`${request.scenario} at ${request.size} ended`));
      };
      child.once('exit', ended).once('error', reject);
      child.once('message', (message) => {
        child.off('exit', ended).off('error', reject);
        resolve(message as TwinMessage);
      });
    });
  const said = async (): Promise<Extract<TwinMessage, { sample: Sample } | { filled: true }>> => {
    const message = await next();
    if ('failed' in message) throw new Error(`${request.scenario} at ${request.size}: ${message.failed}`);
    if ('skipped' in message) throw new Skipped(message.skipped);
    return message;
  };
  await said();
  return {
    async sample() {
      const answer = said();
      child.send('sample');
      const message = await answer;
      return 'sample' in message ? message.sample : {};
    },
    close: () => void child.kill('SIGKILL'),
  };
}
