/**
 * `dist/netavark`: where a daemon answers, a setup or teardown is carried there; else it is carried out here. The one place of it with
 * globals.
 */
import path from 'node:path';
import { carryCall, usualSockets } from '../../client/carry-call.ts';
import { readInput, writeAll } from '../../client/standard-streams.ts';
import type { Config } from '../../model/config.ts';
import { NETAVARK_PATH_OF_DAEMON, type NetavarkCallAnswer, type NetavarkCallRequest } from './daemon-call.ts';

const [, script = '', ...argv] = process.argv;
const programName = path.basename(script);

// Podman ends when its caller does; what was begun to be taken down is taken down all the same.
if (argv.includes('teardown'))
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

/** What a daemon carries out: what comes with every container. A request in a file is for the command line to read. */
const isCarried = ['setup', 'teardown'].some((verb) => argv.includes(verb)) && !argv.some(namesFile);

function namesFile(word: string): boolean {
  return word.startsWith('--file') || /^-f/.test(word);
}

async function carriedOut(): Promise<number> {
  if (!isCarried) return here(undefined);
  const input = readInput();
  const call = carrier(input);
  for (const socket of usualSockets(process.env) ?? (await configuredSockets())) {
    const answer = call(socket, argv);
    if (answer !== undefined) return ended(await told(answer, () => call(socket, argv.map(undoing))));
  }
  return here(input);
}

function carrier(input: string): (socket: string, words: readonly string[]) => NetavarkCallAnswer | undefined {
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      name.startsWith('NETAVARK_') && value !== undefined ? [[name, value]] : [],
    ),
  );
  return (socket, words) => {
    const call: NetavarkCallRequest = { argv: words, programName, env, input };
    return carryCall({ socket, path: NETAVARK_PATH_OF_DAEMON, call }) as NetavarkCallAnswer | undefined;
  };
}

function undoing(word: string): string {
  return word === 'setup' ? 'teardown' : word;
}

/** Where aardvark-dns cannot be told of a container, it has not been set up. */
async function told(answer: NetavarkCallAnswer, undo: () => unknown): Promise<NetavarkCallAnswer> {
  if (answer.notices.length === 0) return answer;
  try {
    const { tellAardvark } = await import('./tell-aardvark.ts');
    await tellAardvark(answer.notices, locked);
    return answer;
  } catch (error) {
    if (argv.includes('setup')) undo();
    const { errorAnswer } = await import('./error-answer.ts');
    return { ...answer, status: 1, stdout: errorAnswer(error) };
  }
}

function ended({ status, stdout, stderr }: NetavarkCallAnswer): number {
  writeAll(2, stderr);
  writeAll(1, stdout);
  return status;
}

async function locked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const { holding } = await import('../../kernel/file-lock.ts');
  return holding(file, 'exclusive', work);
}

let config: Promise<Config> | undefined;

function readConfig(): Promise<Config> {
  return (config ??= import('../../config/load.ts').then(({ loadConfig }) => loadConfig({ env: process.env })));
}

async function configuredSockets(): Promise<readonly string[]> {
  const { hosts } = await readConfig();
  return hosts.flatMap((host) => (host.startsWith('unix://') ? [host.slice('unix://'.length)] : []));
}

/** @param input standard input, where it was read already */
async function here(input: string | undefined): Promise<number> {
  const { runHere } = await import('./run-here.ts');
  const [{ findEngine }, { uplink }] = await Promise.all([
    import('../../wiring/open-engine.ts'),
    import('../../kernel/uplink.ts'),
  ]);
  return runHere(argv, {
    env: process.env,
    programName,
    input: input ?? readInput,
    writeAll,
    openEngine: async () => findEngine(await readConfig(), { insist: false }),
    uplink: () => uplink(4) ?? uplink(6),
    locked,
  });
}

async function failed(error: unknown): Promise<number> {
  const { errorAnswer } = await import('./error-answer.ts');
  writeAll(1, errorAnswer(error));
  return 1;
}

void carriedOut()
  .catch(failed)
  .then((status) => {
    // Everything is closed; what the event loop still has are timers of LMDB's.
    process.exit(status);
  });
