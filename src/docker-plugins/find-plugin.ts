/**
 * Where Docker's plugins are: sockets in /run/docker/plugins, and files that name an address in /etc/docker/plugins and
 * /usr/lib/docker/plugins, flat or in a folder of the plugin's name (Docker, "Docker Plugin API", plugin discovery).
 */
import { readdirSync, readFileSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';

export interface PluginFolders {
  readonly sockets: string;
  readonly specs: readonly string[];
}

export const DOCKER_FOLDERS: PluginFolders = {
  sockets: '/run/docker/plugins',
  specs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
};

export interface PluginTls {
  /** Files in PEM. Without an authority the plugin's certificate is not checked, as Docker does. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecure: boolean;
}

export interface PluginAddress {
  readonly name: string;
  /** The socket, or the file that names the address. */
  readonly source: string;
  readonly transport:
    | { readonly kind: 'unix'; readonly socket: string }
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: PluginTls };
}

/** What a plugin may be called; anything else would lead out of the folders. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Where we serve Docker: whoever asked that would ask us. */
const OURSELVES = 'tsnet';

export function findPlugin(name: string, folders: PluginFolders): PluginAddress | undefined {
  if (!NAME.test(name) || name === OURSELVES) return undefined;
  for (const socket of candidates(folders.sockets, name, 'sock')) {
    if (look(socket)?.isSocket() === true) return { name, source: socket, transport: { kind: 'unix', socket } };
  }
  for (const folder of folders.specs) {
    for (const ending of ['spec', 'json'] as const) {
      const file = candidates(folder, name, ending).find((one) => look(one)?.isFile() === true);
      if (file !== undefined) return ending === 'spec' ? fromSpec(name, file) : fromJson(name, file);
    }
  }
  return undefined;
}

/** The names of all plugins that are there, in order. */
export function pluginNames(folders: PluginFolders): string[] {
  const names = [
    ...namesIn(folders.sockets, ['sock']),
    ...folders.specs.flatMap((folder) => namesIn(folder, ['spec', 'json'])),
  ];
  return [...new Set(names)].filter((name) => name !== OURSELVES).sort();
}

function candidates(folder: string, name: string, ending: string): string[] {
  return [path.join(folder, `${name}.${ending}`), path.join(folder, name, `${name}.${ending}`)];
}

function namesIn(folder: string, endings: readonly string[]): string[] {
  return entries(folder).flatMap((entry) => {
    const ending = endings.find((one) => entry.endsWith(`.${one}`));
    if (ending !== undefined) return [entry.slice(0, -ending.length - 1)];
    return endings.some((one) => look(path.join(folder, entry, `${entry}.${one}`)) !== undefined) ? [entry] : [];
  });
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Most hosts have none of these folders.
    return [];
  }
}

/** Undefined for what is not there; a folder may turn out to be a file. */
function look(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** One line with a URL. */
function fromSpec(name: string, file: string): PluginAddress {
  return { name, source: file, transport: transportOf(readFileSync(file, 'utf8').trim(), file, undefined) };
}

interface PluginJson {
  readonly Addr?: unknown;
  readonly TLSConfig?: {
    readonly InsecureSkipVerify?: unknown;
    readonly CAFile?: unknown;
    readonly CertFile?: unknown;
    readonly KeyFile?: unknown;
  } | null;
}

function fromJson(name: string, file: string): PluginAddress {
  let json: PluginJson;
  try {
    json = JSON.parse(readFileSync(file, 'utf8')) as PluginJson;
  } catch (error) {
    throw unusable(file, 'it is not JSON', error);
  }
  const { Addr, TLSConfig } = json;
  if (typeof Addr !== 'string') throw unusable(file, 'it has no "Addr"');
  const given = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
  if (TLSConfig === undefined || TLSConfig === null)
    return { name, source: file, transport: transportOf(Addr, file, undefined) };
  const [ca, cert, key] = [given(TLSConfig.CAFile), given(TLSConfig.CertFile), given(TLSConfig.KeyFile)];
  const tls: PluginTls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    insecure: TLSConfig.InsecureSkipVerify === true || ca === undefined,
  };
  return { name, source: file, transport: transportOf(Addr, file, tls) };
}

/** unix:///path, tcp://host:port, http://host:port, https://host:port. */
function transportOf(address: string, file: string, tls: PluginTls | undefined): PluginAddress['transport'] {
  const socket = /^unix:\/\/(\/.+)$/.exec(address)?.[1];
  if (socket !== undefined) return { kind: 'unix', socket };
  const found = /^(tcp|http|https):\/\/(\[[0-9a-fA-F:]+\]|[^/:]+):(\d{1,5})\/?$/.exec(address);
  const [, scheme = '', host = '', port = ''] = found ?? [];
  if (found === null || Number(port) > 65_535) {
    throw unusable(file, `its address ${JSON.stringify(address)} is none; write unix:///path or tcp://host:port`);
  }
  const secure = tls ?? (scheme === 'https' ? { insecure: false } : undefined);
  return {
    kind: 'tcp',
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port),
    ...(secure === undefined ? {} : { tls: secure }),
  };
}

function unusable(file: string, why: string, cause?: unknown): TsnetError {
  return new TsnetError('DRIVER', `read Docker plugin ${file}: ${why}`, { cause });
}
