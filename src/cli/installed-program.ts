/**
 * Programs that an `install` writes for a runtime to call. Runtimes pass on neither environment nor options, and some of what they call
 * later they call without the environment of the shell (Podman's clean-up): so the configuration of the moment is written in.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { shellWord } from '../model/shell-word.ts';
import type { CliContext } from './context.ts';

/** What the environment and the global options say of the configuration, as environment: empty where all is as usual. */
export function recordedEnvironment({ configRequest }: Pick<CliContext, 'configRequest'>): Record<string, string> {
  const { file, dataRoot, execRoot, host, env } = configRequest();
  const given = {
    TSNET_CONFIG: absolute(file ?? env['TSNET_CONFIG']),
    TSNET_DATA_ROOT: absolute(dataRoot ?? env['TSNET_DATA_ROOT']),
    TSNET_EXEC_ROOT: absolute(execRoot ?? env['TSNET_EXEC_ROOT']),
    TSNET_HOST: host ?? env['TSNET_HOST'] ?? '',
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
}

/** Who calls it later is in another folder. */
function absolute(file = ''): string {
  return file === '' ? '' : path.resolve(file);
}

export interface InstalledProgram {
  /** Path of the Node.js to run it with, so that it needs no PATH. */
  readonly node: string;
  /** Path of the program in the installed package, so that an upgrade in place reaches it. */
  readonly program: string;
  /** What is recorded goes before what the caller's environment says: all calls are to find one ledger. */
  readonly env: Readonly<Record<string, string>>;
}

/** Longest first line of a script that kernels before 5.1 read (BINPRM_BUF_SIZE). */
const LONGEST_FIRST_LINE = 127;

/** The text of an executable that runs the program. */
export function programText({ node, program, env }: InstalledProgram): string {
  const first = `#!${node}`;
  const names = Object.keys(env);
  if (first.length <= LONGEST_FIRST_LINE && !/\s/.test(node)) {
    const recorded = names.length === 0 ? '' : `Object.assign(process.env, ${JSON.stringify(env)});\n`;
    return `${first}\n${recorded}require(${JSON.stringify(program)});\n`;
  }
  return `#!/bin/sh\n${exportLines(env)}exec ${runningCommand({ node, program })} "$@"\n`;
}

/** What is recorded, as a shell has it. */
export function exportLines(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}=${shellWord(value)}\n`)
    .join('');
}

/** The program as a command of a shell. */
export function runningCommand({ node, program }: Pick<InstalledProgram, 'node' | 'program'>): string {
  return `${shellWord(node)} ${shellWord(program)}`;
}

/** Path of a program of the system, for scripts that are called without a PATH; undefined where there is none. */
export function systemProgram(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/local/bin']
    .map((folder) => path.join(folder, name))
    .find((file) => existsSync(file));
}

/** What is told of a program that was written. */
export function recordedWords(env: Readonly<Record<string, string>>): string {
  const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return words.length === 0 ? '' : `, with ${words.join(' ')}`;
}

/** A program of the package, beside the command line, of which this is a part (`build.js`). @throws TsnetError NOT_FOUND */
export function packagedProgram(name: string): string {
  const file = path.join(import.meta.dirname, '..', name);
  if (existsSync(file)) return file;
  throw new TsnetError('NOT_FOUND', `install ${name}: there is no ${file}; build tsnet with make build`);
}

/** Written beside and moved into place: who looks meanwhile finds the old file or the new one. @throws TsnetError PERMISSION */
export function putFile(file: string, text: string, mode: number): void {
  const fresh = `${file}.${process.pid}`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(fresh, text, { mode, flush: true });
    renameSync(fresh, file);
  } catch (cause) {
    rmSync(fresh, { force: true });
    throw new TsnetError('PERMISSION', `write ${file}: ${(cause as Error).message}; be root, or name other folders`, {
      cause,
    });
  }
}
