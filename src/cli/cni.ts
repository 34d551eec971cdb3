/** `tsnet cni install`: puts the CNI plugin where container runtimes look for it. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { CONFLIST_FILE, conflistText, executableText } from '../runtimes/cni/conflist.ts';
import type { DefineVerb } from './verbs.ts';

interface InstallOptions {
  readonly binDir: string;
  readonly confDir: string;
}

export const define: DefineVerb = (command, context) => {
  command
    .command('install')
    .description('Write the plugin, as "tsnet", and a configuration of its own into the folders of the runtimes.')
    .option('--bin-dir <dir>', 'folder of CNI plugins', '/opt/cni/bin')
    .option('--conf-dir <dir>', 'folder of CNI configurations', '/etc/cni/net.d')
    .action(({ binDir, confDir }: InstallOptions) => {
      const plugin = pluginFile();
      const executable = path.resolve(binDir, 'tsnet');
      const conflist = path.resolve(confDir, CONFLIST_FILE);
      const found = existsSync(conflist) ? readFileSync(conflist, 'utf8') : undefined;
      put(executable, executableText({ node: process.execPath, plugin }), 0o755);
      context.write(`${executable}: runs ${plugin}\n`);
      if (found === undefined) put(conflist, conflistText(), 0o644);
      context.write(`${conflist}: ${fateOf(found)}\n`);
    });
};

/** A configuration that somebody has edited is theirs. */
function fateOf(found: string | undefined): string {
  if (found === undefined) return 'written; containers get a network "pods", made with the first of them';
  return found === conflistText() ? 'is there already' : 'differs, and is left as it is; delete it to have a new one';
}

/** Beside the command line, of which this is a part (`build.js`). */
function pluginFile(): string {
  const file = path.join(import.meta.dirname, '..', 'tsnet-cni.js');
  if (existsSync(file)) return file;
  throw new TsnetError('NOT_FOUND', `install the CNI plugin: there is no ${file}; build tsnet with make build`);
}

/** Written beside and moved into place: who looks meanwhile finds the old file or the new one. @throws TsnetError PERMISSION */
function put(file: string, text: string, mode: number): void {
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
