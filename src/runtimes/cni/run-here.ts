/** A call carried out in this process. */
import type { Config } from '../../model/config.ts';
import { openEngine } from '../../wiring/open-engine.ts';
import type { CniCallAnswer } from './daemon-call.ts';
import type { Delegate } from './delegate.ts';
import type { Environment } from './invocation.ts';
import { netnsAt } from './netns-at.ts';
import { runPlugin } from './run-plugin.ts';

export interface HereRequest {
  readonly env: Environment;
  readonly input: string;
  readonly config: () => Promise<Config>;
}

const delegate: Delegate = async (delegation, command) =>
  (await import('./delegate.ts')).runDelegate(delegation, command);

export async function runHere({ env, input, config }: HereRequest): Promise<CniCallAnswer> {
  const lines: string[] = [];
  const outcome = await runPlugin({
    env,
    input,
    delegate,
    netnsAt,
    engine: async () => openEngine(await config(), { insist: false }),
    log: (line) => lines.push(line.replace(/\n?$/, '\n')),
  });
  return { ...outcome, stderr: lines.join('') };
}
