/** The file by which Podman and CRI-O learn of a hook: containers/common, "oci-hooks(5)", version 1.0.0. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../../model/error.ts';

/** Where Podman and CRI-O look without being told. */
export const HOOKS_FOLDER = '/usr/share/containers/oci/hooks.d';
const FILE = 'tsnet.json';
/** Seconds; a network that has to be brought up, and a repair that is waited for, are well within. */
const TIMEOUT = 60;

export interface Hook {
  /** Program and arguments, absolute: runtimes start hooks with the environment that is given here and no other. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export function hookText({ command, env }: Hook): string {
  const [program = ''] = command;
  const hook = {
    version: '1.0.0',
    hook: {
      path: program,
      args: command,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      timeout: TIMEOUT,
    },
    when: { annotations: { '^tsnet\\.': '.*' } },
    stages: ['createRuntime', 'poststop'],
  };
  return `${JSON.stringify(hook, null, 2)}\n`;
}

/** Writes the file beside and moves it into place: a runtime reads the old one or the new one. @returns its path. @throws TsnetError */
export function installHook(folder: string, hook: Hook): string {
  const file = path.join(path.resolve(folder), FILE);
  const draft = `${file}.${process.pid}`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(draft, hookText(hook), { mode: 0o644 });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new TsnetError('PERMISSION', `write ${file}: ${why}`, { cause: error });
  }
  return file;
}
