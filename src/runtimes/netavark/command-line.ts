/**
 * netavark's command line, from 1.4 to 2.x, and that of its external plugins: `netavark [OPTIONS] setup NETNS` and so on. Options
 * may stand before the command or behind it, as `--name value` or `--name=value`.
 */

export type NetavarkCommand =
  | { readonly kind: 'setup' | 'teardown'; readonly netns: string }
  | { readonly kind: 'update'; readonly network: string; readonly dnsServers: readonly string[] | undefined }
  | { readonly kind: 'create' | 'version' | 'info' | 'firewall-reload' | 'nothing' }
  | { readonly kind: 'print'; readonly text: string };

export interface Invocation {
  readonly command: NetavarkCommand;
  /** `-f`: read instead of standard input; "-" is standard input. */
  readonly file?: string;
  /** `--config`: podman's folder for what lives until the next boot. */
  readonly configFolder?: string;
  readonly aardvark?: string;
  readonly isRootless: boolean;
}

/** Wrong use of the command line: told on standard error, status 2. */
export class NetavarkUsage extends Error {}

export const USAGE = `Usage: netavark [OPTIONS] <COMMAND>

Commands:
  create           Complete a new network's configuration
  setup            Attach a container to its networks
  teardown         Detach a container from its networks
  update           Change the nameservers of a network
  firewall-reload  Write firewall rules that are missing
  version          Print versions as JSON
  info             Print what a netavark plugin is asked for

Options:
  -f, --file <FILE>                  Read the request from here instead of standard input
  -c, --config <FOLDER>              Folder for the files of aardvark-dns
  -a, --aardvark-binary <FILE>       aardvark-dns
  -r, --rootless <true|false>
      --firewall-driver <DRIVER>     Taken and not used: daemon.json decides
      --plugin-directory <FOLDER>    Taken and not used
  -h, --help
  -V, --version
`;

const VALUED: Readonly<Record<string, string>> = {
  '-f': 'file',
  '--file': 'file',
  '-c': 'config',
  '--config': 'config',
  '-r': 'rootless',
  '--rootless': 'rootless',
  '-a': 'aardvark-binary',
  '--aardvark-binary': 'aardvark-binary',
  '--firewall-driver': 'firewall-driver',
  '--plugin-directory': 'plugin-directory',
  '--network-dns-servers': 'network-dns-servers',
};

interface Words {
  readonly operands: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly asks: 'help' | 'version' | undefined;
}

/** @param isPlugin called by a name of its own: without a command it tells what it is. @throws NetavarkUsage */
export function parseInvocation(
  argv: readonly string[],
  { isPlugin, version }: { readonly isPlugin: boolean; readonly version: string },
): Invocation {
  const words = wordsOf(argv);
  const file = words.options.get('file');
  const configFolder = words.options.get('config');
  const aardvark = words.options.get('aardvark-binary');
  return {
    command: commandOf(words, isPlugin, version),
    ...(file === undefined || file === '-' ? {} : { file }),
    ...(configFolder === undefined || configFolder === '' ? {} : { configFolder }),
    ...(aardvark === undefined || aardvark === '' ? {} : { aardvark }),
    isRootless: isTrue(words.options.get('rootless')),
  };
}

function wordsOf(argv: readonly string[]): Words {
  const operands: string[] = [];
  const options = new Map<string, string>();
  let asks: Words['asks'];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '-h' || word === '--help') asks ??= 'help';
    else if (word === '-V' || word === '--version') asks ??= 'version';
    else if (!word.startsWith('-') || word === '-') operands.push(word);
    // Its options are of no use here.
    else if (operands[0] === 'dhcp-proxy') break;
    else {
      const [flag, attached] = splitFlag(word);
      const name = Object.hasOwn(VALUED, flag) ? VALUED[flag] : undefined;
      if (name === undefined) throw new NetavarkUsage(`unexpected argument '${word}' found`);
      const value = attached ?? argv[(index += 1)];
      if (value === undefined) throw new NetavarkUsage(`a value is required for '${flag}' but none was supplied`);
      options.set(name, value);
    }
  }
  return { operands, options, asks };
}

/** "--name=value", "-fvalue" or the flag alone. */
function splitFlag(word: string): readonly [string, string | undefined] {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
  }
  return word.length === 2 ? [word, undefined] : [word.slice(0, 2), word.slice(2).replace(/^=/, '')];
}

function isTrue(value: string | undefined): boolean {
  if (value === undefined || value === 'false') return false;
  if (value === 'true') return true;
  throw new NetavarkUsage(`invalid value '${value}' for '--rootless': expected true or false`);
}

function commandOf({ operands, options, asks }: Words, isPlugin: boolean, version: string): NetavarkCommand {
  const [name, ...rest] = operands;
  if (asks !== undefined) return { kind: 'print', text: asks === 'help' ? USAGE : version };
  const takes = (count: number): void => {
    if (rest.length > count) throw new NetavarkUsage(`unexpected argument '${rest[count] ?? ''}' found`);
    if (rest.length < count) throw new NetavarkUsage('a required argument was not provided');
  };
  switch (name) {
    case undefined:
      if (isPlugin) return { kind: 'info' };
      throw new NetavarkUsage('a command is required');
    case 'setup':
    case 'teardown':
      takes(1);
      return { kind: name, netns: rest[0] ?? '' };
    case 'update': {
      takes(1);
      const servers = options.get('network-dns-servers');
      return {
        kind: 'update',
        network: rest[0] ?? '',
        dnsServers: servers?.split(',').filter((server) => server !== ''),
      };
    }
    case 'create':
    case 'version':
    case 'info':
      takes(0);
      return { kind: name };
    case 'firewall-reload':
    case 'firewalld-reload':
      takes(0);
      return { kind: 'firewall-reload' };
    // A DHCP server is asked by tsnet itself: whoever starts the proxy needs none.
    case 'dhcp-proxy':
      return { kind: 'nothing' };
    default:
      throw new NetavarkUsage(`unrecognized subcommand '${name}'`);
  }
}
