/** Runs one command line of tsnet on a fake engine and catches what it writes. */
import { runCli } from '../../../src/cli/program.ts';
import type { Config } from '../../../src/model/config.ts';
import { makeFakeEngine, type FakeEngine } from './fake-engine.ts';

export interface CliRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly engine: FakeEngine;
  /** What the engine was opened with; undefined when it was not. */
  readonly config: Config | undefined;
  readonly questions: readonly string[];
}

export interface CliOutside {
  readonly engine?: FakeEngine;
  readonly env?: Readonly<Record<string, string>>;
  /** What the person types when asked. */
  readonly answer?: string;
}

export async function tsnet(args: readonly string[], outside: CliOutside = {}): Promise<CliRun> {
  const engine = outside.engine ?? makeFakeEngine();
  const written = { stdout: '', stderr: '' };
  const questions: string[] = [];
  let config: Config | undefined;
  const status = await runCli(args, {
    // The machine's own /etc/tsnet must not matter.
    env: { TSNET_CONFIG: '/nonexistent/daemon.json', ...outside.env },
    write: (text) => {
      written.stdout += text;
    },
    writeError: (text) => {
      written.stderr += text;
    },
    ask: (question) => {
      questions.push(question);
      return Promise.resolve(outside.answer);
    },
    openEngine: (opened) => {
      config = opened;
      return Promise.resolve(engine);
    },
  });
  return { status, ...written, engine, config, questions };
}
