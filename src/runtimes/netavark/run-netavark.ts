/**
 * One call of netavark: what podman typed and what stands on standard input, to an answer on standard output and a status. It
 * touches no process global, so that the whole interface is tested without a process.
 *
 * 0: done, with at most one JSON document on standard output; 1: refused or failed, `{"error": "…"}` there; 2: wrong use, told on
 * standard error.
 */
import { TsnetError } from '../../model/error.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Aardvark, AardvarkPlace } from './aardvark.ts';
import { NetavarkUsage, parseInvocation, USAGE, type Invocation, type NetavarkCommand } from './command-line.ts';
import { readContainerRequest, readPluginRequest, type ContainerRequest } from './container-request.ts';
import { createNetworkConfig } from './create.ts';
import { errorAnswer } from './error-answer.ts';
import { address, isNetworkName } from './network-info.ts';
import { has, parseDocument, type Fields } from './json-fields.ts';
import type { Session } from './session.ts';
import { setup } from './setup.ts';
import { teardown } from './teardown.ts';

/** The netavark whose interface this is. */
export const NETAVARK_VERSION = '2.1.0';
/** Of its external plugins. */
const PLUGIN_API_VERSION = '1.0.0';

/** Where podman keeps what lives until the next boot, as root. */
const DEFAULT_FOLDER = '/run/containers/networks';
const DNS_PORT = 53;

export interface NetavarkHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Name that it was called by: anything but netavark is a plugin's. */
  readonly programName: string;
  readonly tsnetVersion: string;
  /** Standard input, or the file of `-f`, to its end. @throws Error of the system */
  readonly read: (file: string | undefined) => Promise<string>;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  readonly exists: (path: string) => boolean;
  readonly openEngine: () => Promise<{ readonly engine: Engine; readonly isDaemon: boolean }>;
  readonly uplink: () => string | undefined;
  readonly openAardvark: (place: AardvarkPlace) => Aardvark;
}

/** Never throws. */
export async function runNetavark(argv: readonly string[], host: NetavarkHost): Promise<number> {
  try {
    const invocation = parseInvocation(argv, {
      isPlugin: host.programName !== 'netavark',
      version: `netavark ${NETAVARK_VERSION} (tsnet ${host.tsnetVersion})\n`,
    });
    host.write(await answer(invocation, host));
    return 0;
  } catch (error) {
    if (error instanceof NetavarkUsage) {
      host.writeError(`error: ${error.message}\n\n${USAGE}`);
      return 2;
    }
    host.write(errorAnswer(error));
    return 1;
  }
}

async function answer(invocation: Invocation, host: NetavarkHost): Promise<string> {
  const { command } = invocation;
  switch (command.kind) {
    case 'print':
      return command.text;
    case 'nothing':
      return '';
    case 'version':
      return json({
        version: NETAVARK_VERSION,
        tsnet: host.tsnetVersion,
        commit: '',
        build_time: '',
        target: process.arch,
      });
    case 'info':
      return json({ version: host.tsnetVersion, api_version: PLUGIN_API_VERSION });
    case 'firewall-reload':
      return withSession(invocation, host, async ({ engine }) => {
        await engine.repair();
        return '';
      });
    case 'create': {
      const document = parseDocument(await input(invocation, host));
      return withSession(invocation, host, async ({ engine, uplink }) =>
        json(await createNetworkConfig(document, { engine, uplink })),
      );
    }
    case 'update':
      return update(command, invocation, host);
    case 'setup':
    case 'teardown':
      return attachOrDetach(command, invocation, host);
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

async function input({ file }: Invocation, host: NetavarkHost): Promise<string> {
  try {
    return await host.read(file);
  } catch (error) {
    throw new TsnetError('INVALID', `failed to load network options: IO error: ${systemText(error)}`, { cause: error });
  }
}

/** As Rust prints an error of the system. */
function systemText(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
    return 'No such file or directory (os error 2)';
  return error instanceof Error ? error.message : String(error);
}

async function attachOrDetach(
  { kind, netns }: Extract<NetavarkCommand, { netns: string }>,
  invocation: Invocation,
  host: NetavarkHost,
): Promise<string> {
  const { container, isPlugin } = readRequest(parseDocument(await input(invocation, host)));
  if (kind === 'teardown') {
    return withSession(invocation, host, async (session) => {
      await teardown(session, container);
      return '';
    });
  }
  if (!host.exists(netns)) {
    throw new TsnetError('NOT_FOUND', 'invalid namespace path: IO error: No such file or directory (os error 2)');
  }
  return withSession(invocation, host, async (session) => {
    const status = await setup(session, container, netns);
    return json(isPlugin ? Object.values(status)[0] : status);
  });
}

/** A plugin is told of one network, netavark of several. */
function readRequest(document: Fields): { readonly container: ContainerRequest; readonly isPlugin: boolean } {
  return has(document, 'network') && !has(document, 'networks')
    ? { container: readPluginRequest(document), isPlugin: true }
    : { container: readContainerRequest(document), isPlugin: false };
}

async function update(
  { network, dnsServers }: Extract<NetavarkCommand, { kind: 'update' }>,
  invocation: Invocation,
  host: NetavarkHost,
): Promise<string> {
  if (!isNetworkName(network)) throw new TsnetError('INVALID', `"${network}" is no name of a network`);
  if (dnsServers === undefined) return '';
  const servers = dnsServers.map((server) => address(server, '--network-dns-servers'));
  await aardvarkOf(invocation, host)?.setUpstreams(network, servers);
  return '';
}

async function withSession(
  invocation: Invocation,
  host: NetavarkHost,
  work: (session: Session) => Promise<string>,
): Promise<string> {
  if (invocation.isRootless) {
    throw new TsnetError('UNSUPPORTED', 'containers of rootless podman are not supported; run podman as root');
  }
  const aardvark = aardvarkOf(invocation, host);
  const { engine, isDaemon } = await host.openEngine();
  try {
    return await work({ engine, isDaemon, uplink: host.uplink, ...(aardvark === undefined ? {} : { aardvark }) });
  } finally {
    await engine.close();
  }
}

function aardvarkOf({ aardvark, configFolder }: Invocation, host: NetavarkHost): Aardvark | undefined {
  if (aardvark === undefined || !host.exists(aardvark)) return undefined;
  const port = Number(host.env['NETAVARK_DNS_PORT'] ?? DNS_PORT);
  if (port !== DNS_PORT) {
    throw new TsnetError(
      'UNSUPPORTED',
      `aardvark-dns at port ${port} (dns_bind_port) is not supported; leave it at 53`,
    );
  }
  return host.openAardvark({ folder: configFolder ?? DEFAULT_FOLDER, program: aardvark, port });
}
