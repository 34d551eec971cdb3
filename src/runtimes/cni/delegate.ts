/**
 * Another IPAM plugin: found in CNI_PATH, run with the environment and the input of this call. It knows no interface; what it
 * answers is addresses.
 */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '../../model/records.ts';
import { CniError } from './cni-error.ts';
import { fieldsOf, numberAt, parseObject, textAt } from './fields.ts';
import type { CniCommand, Environment } from './invocation.ts';

export interface Delegation {
  readonly plugin: string;
  /** Folders to look in. */
  readonly path: readonly string[];
  readonly env: Environment;
  /** What came on standard input. */
  readonly input: string;
  /** Its standard error is ours. */
  readonly writeError: (text: string) => void;
}

export type Delegate = (delegation: Delegation, command: CniCommand) => Promise<JsonObject | undefined>;

/** It talks to a DHCP server at most. */
const LONGEST_MS = 60_000;
/** A plugin that is being replaced (ETXTBSY) is there in a moment. */
const BUSY_TRIES = 5;
const BUSY_MS = 1000;

/** What the plugin printed, if anything. @throws CniError with its code where it failed, else 111 */
export const runDelegate: Delegate = async (delegation, command) => {
  const file = pluginFile(delegation);
  for (let tries = 1; ; tries += 1) {
    try {
      const { status, output } = await run(file, delegation, command);
      if (status === 0) return output.trim() === '' ? undefined : parseObject(output);
      throw failure(delegation.plugin, command, output);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ETXTBSY' || tries === BUSY_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    }
  }
};

/** @throws CniError 7 */
function pluginFile({ plugin, path: folders }: Delegation): string {
  const files = folders.map((folder) => path.join(folder, plugin));
  const found = files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
  if (found !== undefined) return found;
  throw new CniError(
    7,
    `IPAM plugin ${plugin} not found`,
    `looked for ${files.join(', ')}; install it, or set ipam.type`,
  );
}

function run(
  file: string,
  { env, input, writeError }: Delegation,
  command: CniCommand,
): Promise<{ readonly status: number; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [], {
      env: { ...env, CNI_COMMAND: command },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: LONGEST_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', writeError);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ status: code ?? 1, output });
    });
    // One that refuses does not read what it is told.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Its own words where it had any. */
function failure(plugin: string, command: CniCommand, output: string): CniError {
  try {
    const told = fieldsOf(parseObject(output), '');
    const [code, message, details] = [numberAt(told, 'code'), textAt(told, 'msg'), textAt(told, 'details')];
    if (message !== undefined) {
      const cause = [details, code === undefined ? undefined : `its code is ${code}`].filter(
        (part) => part !== undefined,
      );
      return new CniError(111, `IPAM plugin ${plugin}: ${command}: ${message}`, cause.join('; ') || undefined);
    }
  } catch {
    // It told nothing that can be read.
  }
  return new CniError(111, `IPAM plugin ${plugin}: ${command} failed`, output.slice(0, 500) || undefined);
}
