/**
 * The CNI plugin as a program. Where a daemon answers, the call is carried there; else it is carried out here. The one place of
 * the plugin with globals.
 */
import type { Config } from '../../model/config.ts';
import { carryCall, usualSockets } from '../../client/carry-call.ts';
import { readInput, writeAll } from '../../client/standard-streams.ts';
import { CNI_PATH_OF_DAEMON, type CniCallAnswer, type CniCallRequest } from './daemon-call.ts';

/** What is not about containers takes no daemon, and no input that might not come. */
const ALONE: readonly (string | undefined)[] = [undefined, '', 'VERSION'];

async function carriedOut(): Promise<CniCallAnswer> {
  const { env } = process;
  const isAlone = ALONE.includes(env['CNI_COMMAND']);
  const input = isAlone ? '' : readInput();
  if (!isAlone) {
    const answer = await askedOfDaemon(input);
    if (answer !== undefined) return answer;
  }
  const { runHere } = await import('./run-here.ts');
  return runHere({ env, input, config: readConfig });
}

/** A daemon runs no programs for its callers: a call that another IPAM plugin has a part in stays here. */
async function askedOfDaemon(input: string): Promise<CniCallAnswer | undefined> {
  if (/"ipam"/i.test(input) && (await import('./names-delegate.ts')).namesDelegate(input)) return undefined;
  for (const socket of usualSockets(process.env) ?? (await configuredSockets())) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('CNI_')));
    const answer = carryCall({ socket, path: CNI_PATH_OF_DAEMON, call: { env, input } satisfies CniCallRequest });
    if (answer !== undefined) return answer as CniCallAnswer;
  }
  return undefined;
}

async function configuredSockets(): Promise<readonly string[]> {
  const { hosts } = await readConfig();
  return hosts.flatMap((host) => (host.startsWith('unix://') ? [host.slice('unix://'.length)] : []));
}

let config: Promise<Config> | undefined;

function readConfig(): Promise<Config> {
  return (config ??= import('../../config/load.ts').then(({ loadConfig }) => loadConfig({ env: process.env })));
}

async function failed(error: unknown): Promise<CniCallAnswer> {
  const { errorDocument } = await import('./cni-error.ts');
  return { status: 1, stdout: `${JSON.stringify(errorDocument(error, '1.1.0'))}\n`, stderr: '' };
}

function end({ status, stdout, stderr }: CniCallAnswer): never {
  if (stderr !== '') writeAll(2, stderr);
  if (stdout !== '') writeAll(1, stdout);
  // What the event loop still has are timers of LMDB's.
  process.exit(status);
}

process.on('uncaughtException', (error) => void failed(error).then(end));
void carriedOut().catch(failed).then(end);
