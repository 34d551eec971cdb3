/**
 * One call of the plugin, from environment and input to output and exit status: the whole protocol without a process.
 *
 * Standard output gets one JSON document or nothing; everything else goes to standard error.
 */
import type { JsonObject } from '../../model/records.ts';
import type { CniCall, CniHost } from './call.ts';
import { CniError, errorDocument } from './cni-error.ts';
import { readInvocation, type CniCommand } from './invocation.ts';
import { readConfig, readPlugin } from './network-config.ts';
import { CNI_VERSIONS, isAtLeast, NEWEST, type CniVersion } from './spec-version.ts';

export interface PluginOutcome {
  readonly status: number;
  readonly stdout: string;
}

type Action = (call: CniCall) => Promise<JsonObject | undefined>;

/** Each is loaded when it is called. */
const ACTIONS: Readonly<Record<Exclude<CniCommand, 'VERSION'>, () => Promise<Action>>> = {
  ADD: async () => (await import('./add.ts')).add,
  DEL: async () => (await import('./del.ts')).del,
  CHECK: async () => (await import('./check.ts')).check,
  GC: async () => (await import('./gc.ts')).gc,
  STATUS: async () => (await import('./status.ts')).status,
};

/** The version of the specification that brought a command; configurations of older ones do not have it. */
const SINCE: Partial<Record<CniCommand, CniVersion>> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' };

/** What the program is, for who starts it by hand. */
export const ABOUT = `CNI plugin of tsnet; container runtimes call it (CNI_COMMAND). CNI protocol versions supported: ${CNI_VERSIONS.join(', ')}`;

export async function runPlugin(host: CniHost): Promise<PluginOutcome> {
  let version: string = NEWEST;
  try {
    if ((host.env['CNI_COMMAND'] ?? '') === '') {
      host.log(ABOUT);
      return { status: 0, stdout: '' };
    }
    const invocation = readInvocation(host.env);
    const { command } = invocation;
    if (command === 'VERSION') return printed({ cniVersion: NEWEST, supportedVersions: CNI_VERSIONS });
    const read = readConfig(host.input);
    ({ version } = read);
    const since = SINCE[command];
    if (since !== undefined && !isAtLeast(read.version, since)) {
      throw new CniError(1, `config version does not allow ${command}`, `${command} came with ${since}`);
    }
    const config = readPlugin(read, invocation);
    checkNetns(host, command, invocation.netns);
    const act = await ACTIONS[command]();
    const result = await act({ host, invocation, config, engine: await host.engine() });
    return result === undefined ? { status: 0, stdout: '' } : printed(result);
  } catch (error) {
    return { ...printed({ ...errorDocument(error, version) }), status: 1 };
  }
}

function printed(document: JsonObject): PluginOutcome {
  return { status: 0, stdout: `${JSON.stringify(document)}\n` };
}

/** A container's namespace is there, and is not that of the host. @throws CniError 8 */
function checkNetns({ env, netnsAt }: CniHost, command: CniCommand, path: string): void {
  if (path === '' || (command !== 'ADD' && command !== 'CHECK')) return;
  switch (netnsAt(path)) {
    case 'another':
      return;
    case 'none':
      throw new CniError(8, `invalid CNI_NETNS: ${path} is no network namespace`);
    case 'ours':
      if (/^(1|true)$/i.test(env['CNI_NETNS_OVERRIDE'] ?? '')) return;
      throw new CniError(8, `invalid CNI_NETNS: ${path} is the namespace that the plugin runs in`);
  }
}
