/**
 * The configuration of one process: the defaults, then daemon.json, then the environment, then the global options, the
 * later ones winning.
 */
import { isAbsolute, join, resolve } from 'node:path';
import defaults from '../../config/daemon.json' with { type: 'json' };
import { formatAddress, formatInterface, formatPrefix } from '../model/address.ts';
import type { Config } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { JsonObject, JsonValue } from '../model/records.ts';
import { checkValues, type BridgeAddresses, type CheckedValues } from './check-values.ts';
import { withoutSecret } from './check-cluster.ts';
import { isNotNetworking, KNOWN_KEYS, whyWithoutEffect, type DaemonFile } from './daemon-file.ts';
import { readDaemonFile } from './read-file.ts';
import { shapeProblems } from './shape-problems.ts';

export const DEFAULT_FILE = '/etc/tsnet/daemon.json';

/** Global options, and the environment that says the same to the plugins. */
export interface ConfigRequest {
  /** `--config`: must exist. `TSNET_CONFIG` and the default file may be absent. */
  readonly file?: string;
  readonly dataRoot?: string;
  readonly execRoot?: string;
  /** `-H` */
  readonly host?: string;
  readonly debug?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Origin = 'default' | 'file' | 'environment' | 'option';

export interface ConfigEntry {
  readonly key: string;
  readonly value: JsonValue;
  readonly origin: Origin;
}

/** Everything about the configuration, whether it can be used or not: what `config check` and `config show` print. */
export interface Examination {
  /** The file that was read; absent when there is none. */
  readonly file?: string;
  /** What makes it unusable, one line each. */
  readonly problems: readonly string[];
  readonly notices: readonly string[];
  /** The effective file in the order of the defaults. */
  readonly entries: readonly ConfigEntry[];
  /** Absent when there are problems. */
  readonly config?: Config;
}

/**
 * @throws TsnetError CONFIG that names the file and everything that is wrong with it
 */
export function loadConfig(request: ConfigRequest): Config {
  const { config, problems, file } = examineConfig(request);
  if (config !== undefined) return config;
  throw new TsnetError('CONFIG', `${file === undefined ? 'configuration' : file}: ${problems.join('; ')}`);
}

/**
 * @throws TsnetError CONFIG when the file cannot be read, or is not JSON
 */
export function examineConfig(request: ConfigRequest): Examination {
  const found = findFile(request);
  const content = found?.content ?? {};
  const place = found === undefined ? {} : { file: found.path };
  const shape = shapeOf(content);
  if (shape.length > 0) return { ...place, problems: shape, notices: [], entries: [] };

  const layered = layer(content, request);
  const file = Object.fromEntries(layered.map(({ key, value }) => [key, value])) as unknown as DaemonFile;
  const entries = layered.map((entry) => ({ ...entry, value: withoutSecret(entry.key, entry.value) }));
  const given = new Set(entries.filter(({ origin }) => origin !== 'default').map(({ key }) => key));
  const checked = checkValues(file, given);
  const problems = [...checked.problems, ...rootProblems(file)];
  const notices = [...checked.notices, ...ignoredKeys(content)];
  if (problems.length > 0) return { ...place, problems, notices, entries };
  return { ...place, problems, notices, entries, config: toConfig(file, checked, { ...place, notices }) };
}

function findFile({ file, env }: ConfigRequest): { readonly path: string; readonly content: JsonObject } | undefined {
  const path = resolve(nonEmpty(file) ?? nonEmpty(env['TSNET_CONFIG']) ?? DEFAULT_FILE);
  const content = readDaemonFile(path);
  if (content !== undefined) return { path, content };
  if (nonEmpty(file) === undefined) return undefined;
  throw new TsnetError('CONFIG', `read ${path}: no such file; leave --config away to use the defaults`);
}

/** The schema is only asked about a file that says something. */
function shapeOf(content: JsonObject): string[] {
  return Object.keys(content).length === 0 ? [] : shapeProblems(content, KNOWN_KEYS);
}

function layer(content: JsonObject, { env, dataRoot, execRoot, host, debug }: ConfigRequest): ConfigEntry[] {
  const entries = new Map<string, ConfigEntry>();
  const put = (key: string, value: JsonValue | undefined, origin: Origin): void => {
    if (value !== undefined) entries.set(key, { key, value, origin });
  };
  for (const [key, value] of Object.entries(defaults)) put(key, value, 'default');
  for (const [key, value] of Object.entries(content)) {
    if (key !== '$schema' && !isNotNetworking(key) && whyWithoutEffect(key) === undefined) put(key, value, 'file');
  }
  put('data-root', nonEmpty(env['TSNET_DATA_ROOT']), 'environment');
  put('exec-root', nonEmpty(env['TSNET_EXEC_ROOT']), 'environment');
  put('hosts', listOf(nonEmpty(env['TSNET_HOST'])), 'environment');
  put('data-root', dataRoot, 'option');
  put('exec-root', execRoot, 'option');
  put('hosts', listOf(host), 'option');
  put('debug', debug, 'option');
  const hosts = entries.get('hosts');
  const root = entries.get('exec-root')?.value;
  if (Array.isArray(hosts?.value) && hosts.value.length === 0 && typeof root === 'string') {
    put('hosts', [`unix://${join(root, 'tsnet.sock')}`], hosts.origin);
  }
  return [...entries.values()];
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function listOf(text: string | undefined): string[] | undefined {
  return text === undefined ? undefined : [text];
}

/** The schema has seen the file's; those of the environment and the options come past it. */
function rootProblems(file: DaemonFile): string[] {
  const roots = (['data-root', 'exec-root'] as const)
    .filter((key) => !isAbsolute(file[key]))
    .map((key) => `/${key}: ${JSON.stringify(file[key])}: expected an absolute path`);
  const hosts = file.hosts
    .filter((host) => !/^(unix|tcp|fd):\/\//.test(host))
    .map((host) => `/hosts: ${JSON.stringify(host)}: expected an address such as unix:///run/tsnet/tsnet.sock`);
  return [...roots, ...hosts];
}

/** One line for all of Docker's other keys, one for each networking key without effect. */
function ignoredKeys(content: JsonObject): string[] {
  const keys = Object.keys(content);
  const other = keys.filter(isNotNetworking);
  const notices = keys.flatMap((key) => {
    const why = whyWithoutEffect(key);
    return why === undefined ? [] : [`${key}: no effect: ${why}`];
  });
  if (other.length === 0) return notices;
  return [...notices, `not about networking, ignored: ${other.join(', ')}`];
}

function toConfig(
  file: DaemonFile,
  { ipv4, ipv6, cluster }: CheckedValues,
  about: { readonly file?: string; readonly notices: readonly string[] },
): Config {
  return {
    ...about,
    dataRoot: file['data-root'],
    execRoot: file['exec-root'],
    hosts: file.hosts,
    debug: file.debug,
    bridge: file.bridge,
    ...bridgeConfig(ipv4, 'bip', 'fixedCidr', 'defaultGateway'),
    ...bridgeConfig(ipv6, 'bip6', 'fixedCidrV6', 'defaultGatewayV6'),
    ipv6: file.ipv6,
    mtu: file.mtu,
    icc: file.icc,
    ipMasq: file['ip-masq'] && file.iptables,
    ip: file.ip,
    ipForward: file['ip-forward'],
    iptables: file.iptables,
    ip6tables: file.ip6tables,
    firewallBackend: file['firewall-backend'],
    allowDirectRouting: file['allow-direct-routing'],
    userlandProxy: file['userland-proxy'],
    dns: file.dns,
    dnsOpts: file['dns-opts'],
    dnsSearch: file['dns-search'],
    defaultAddressPools: file['default-address-pools'],
    defaultNetworkOpts: file['default-network-opts'],
    quarantineSeconds: file['quarantine-seconds'],
    selfHeal: file['self-heal'],
    dockerPlugin: file['docker-plugin'],
    drivers: file.drivers,
    ...(cluster === undefined ? {} : { cluster }),
    effective: Object.fromEntries(
      Object.entries(file).map(([key, value]) => [key, withoutSecret(key, value as JsonValue)]),
    ),
  };
}

/** Canonical text of what is given. */
function bridgeConfig<Bip extends string, Fixed extends string, Gateway extends string>(
  { bip, fixedCidr, gateway }: BridgeAddresses,
  bipName: Bip,
  fixedName: Fixed,
  gatewayName: Gateway,
): Partial<Record<Bip | Fixed | Gateway, string>> {
  const named = [
    [bipName, bip === undefined ? undefined : formatInterface(bip)],
    [fixedName, fixedCidr === undefined ? undefined : formatPrefix(fixedCidr)],
    [gatewayName, gateway === undefined ? undefined : formatAddress(gateway)],
  ].filter(([, text]) => text !== undefined);
  return Object.fromEntries(named) as Partial<Record<Bip | Fixed | Gateway, string>>;
}
