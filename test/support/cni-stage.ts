/** Calls of the built CNI plugin, and of stock ones, on a host of the lab, as a runtime makes them. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { must, type Host, type Namespace, type Outcome } from './lab.ts';

export const TSNET_CNI = path.resolve(import.meta.dirname, '../../dist/tsnet-cni.js');

/** Where Debian puts the stock plugins. */
export const STOCK = '/usr/lib/cni';

export type Json = Record<string, unknown>;

export interface CniCall {
  readonly config: Json;
  readonly id?: string;
  /** Path of the namespace; "" as runtimes say it when it is gone. */
  readonly netns?: string;
  readonly interfaceName?: string;
  readonly args?: string;
  readonly timeoutMs?: number;
}

/** Calls a plugin; `file` is a path. */
export function callPlugin(host: Host, file: string, command: string, call: CniCall): Promise<Outcome> {
  const env = {
    ...host.env,
    CNI_COMMAND: command,
    CNI_CONTAINERID: call.id ?? 'c1',
    CNI_NETNS: call.netns ?? '',
    CNI_IFNAME: call.interfaceName ?? 'eth0',
    CNI_ARGS: call.args ?? '',
    CNI_PATH: STOCK,
  };
  return host.run(file, [], { env, input: JSON.stringify(call.config), timeoutMs: call.timeoutMs ?? 60_000 });
}

/** Hosts on which calls are to go to the program that `tsnet cni install` wrote, and where that is. */
const installed = new WeakMap<Host, string>();

/** Installs the plugin; from then on it is what is called on this host. */
export async function installPlugin(host: Host): Promise<string> {
  const dir = path.join(host.dir, 'installed');
  await host.mustTsnet(['cni', 'install', '--bin-dir', dir, '--conf-dir', path.join(host.dir, 'net.d')]);
  const file = path.join(dir, 'tsnet');
  installed.set(host, file);
  return file;
}

export function cni(host: Host, command: string, call: CniCall): Promise<Outcome> {
  return callPlugin(host, installed.get(host) ?? TSNET_CNI, command, call);
}

/** A call that must succeed; what it printed. */
export async function mustCni(host: Host, command: string, call: CniCall): Promise<Json> {
  const { status, stdout, stderr } = await cni(host, command, call);
  if (status !== 0) throw new Error(`${command}: status ${String(status)}: ${stdout}${stderr}`);
  return stdout === '' ? {} : (JSON.parse(stdout) as Json);
}

/** What a call that must fail printed. */
export async function refusal(host: Host, command: string, call: CniCall): Promise<Json> {
  const { status, stdout } = await cni(host, command, call);
  if (status === 0) throw new Error(`${command} did not fail: ${stdout}`);
  return JSON.parse(stdout) as Json;
}

/** Calls plugins as libcni does for a list: each ADD with the result before, DEL in reverse with the last one. */
export async function addList(host: Host, plugins: readonly Json[], call: Omit<CniCall, 'config'>): Promise<Json> {
  let result: Json | undefined;
  for (const config of plugins) {
    const { status, stdout, stderr } = await callPlugin(host, fileOf(config), 'ADD', {
      ...call,
      config: { ...config, ...(result === undefined ? {} : { prevResult: result }) },
    });
    if (status !== 0) throw new Error(`${String(config['type'])}: ${stdout}${stderr}`);
    result = JSON.parse(stdout) as Json;
  }
  return result ?? {};
}

export async function deleteList(
  host: Host,
  plugins: readonly Json[],
  prevResult: Json,
  call: Omit<CniCall, 'config'>,
): Promise<void> {
  for (const config of plugins.toReversed()) {
    const { status, stdout, stderr } = await callPlugin(host, fileOf(config), 'DEL', {
      ...call,
      config: { ...config, prevResult },
    });
    if (status !== 0) throw new Error(`${String(config['type'])}: ${stdout}${stderr}`);
  }
}

function fileOf(config: Json): string {
  return config['type'] === 'tsnet' ? TSNET_CNI : path.join(STOCK, String(config['type']));
}

/** A folder of plugins with ours beside a copy of those of Debian that runtimes need besides: it may be mounted over theirs. */
export async function pluginFolder(host: Host): Promise<string> {
  const dir = path.join(host.dir, 'cni-bin');
  mkdirSync(dir, { recursive: true });
  await must('cp', [path.join(STOCK, 'loopback'), dir]);
  // Podman cleans up after a container in a process of its own, which has nothing of our environment.
  await host.mustTsnet(['cni', 'install', '--bin-dir', dir, '--conf-dir', path.join(host.dir, 'cni-conf')]);
  return dir;
}

/** What of one kind the host has that a container leaves behind when something goes wrong. */
export interface Leftovers {
  readonly links: readonly string[];
  readonly rules: readonly string[];
  readonly sandboxes: string;
  readonly diff: string;
}

export async function leftovers(host: Host): Promise<Leftovers> {
  const links = (await host.must('ip', ['-o', 'link'])).split('\n').map((line) => line.split(': ')[1] ?? '');
  const rules = (await host.must('iptables-save')).split('\n').filter((line) => line.includes('DNAT'));
  return {
    links: links.filter((link) => /^(veth|ifb[0-9a-f]{11})/.test(link)),
    rules: rules.filter((rule) => rule.includes('--to-destination')),
    sandboxes: await host.mustTsnet(['ps', '-q']),
    diff: await host.mustTsnet(['diff']),
  };
}

export const NOTHING: Leftovers = { links: [], rules: [], sandboxes: '', diff: '' };

export function addressOf(result: Json): string {
  return (result['ips'] as { address: string }[])[0]?.address.replace(/\/.*/, '') ?? '';
}

/** Whether `from` gets an answer of a server on `port` of the namespace `server`. */
export async function hears(
  from: Namespace,
  server: Namespace,
  { listenOn, dial }: { readonly listenOn: number; readonly dial: readonly [string, number] },
): Promise<boolean> {
  const program = `
    const { createServer } = require('node:net');
    createServer((peer) => peer.end('hello')).listen(${String(listenOn)}, '::', () => console.log('ready'));`;
  const listening = server.start(process.execPath, ['-e', program]);
  await new Promise((resolve) => listening.stdout?.once('data', resolve));
  const [host, port] = dial;
  const ask = `
    const socket = require('node:net').connect(${String(port)}, ${JSON.stringify(host)});
    socket.setTimeout(2000, () => process.exit(1));
    socket.on('error', () => process.exit(1));
    socket.on('data', (text) => process.exit(String(text) === 'hello' ? 0 : 1));`;
  const { status } = await from.run(process.execPath, ['-e', ask]);
  listening.kill('SIGKILL');
  return status === 0;
}
