/** What the environment of a call says: which command, about which container. */
import { CniError } from './cni-error.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of the protocol; runtimes set those that do not apply to the empty text. */
export interface Invocation {
  readonly command: CniCommand;
  readonly containerId: string;
  /** Path of the container's namespace; empty where there is none any more. */
  readonly netns: string;
  readonly interfaceName: string;
  readonly args: string;
  /** Folders of plugins. */
  readonly path: readonly string[];
}

const REQUIRED: Readonly<Record<CniCommand, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
  // Runtimes fill the others with junk.
  VERSION: [],
};

/** @throws CniError 4 */
export function readInvocation(env: Environment): Invocation {
  const command = env['CNI_COMMAND'] ?? '';
  if (!isCommand(command)) {
    const known = Object.keys(REQUIRED).join(', ');
    throw new CniError(4, `unknown CNI_COMMAND: ${JSON.stringify(command)}`, `expected one of ${known}`);
  }
  const missing = REQUIRED[command].filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0) throw new CniError(4, `required env variables [${missing.join(',')}] missing`);
  const invocation: Invocation = {
    command,
    containerId: env['CNI_CONTAINERID'] ?? '',
    netns: env['CNI_NETNS'] ?? '',
    interfaceName: env['CNI_IFNAME'] ?? '',
    args: env['CNI_ARGS'] ?? '',
    path: (env['CNI_PATH'] ?? '').split(':').filter((folder) => folder !== ''),
  };
  if (REQUIRED[command].includes('CNI_CONTAINERID')) checkContainer(invocation);
  return invocation;
}

function isCommand(text: string): text is CniCommand {
  return Object.hasOwn(REQUIRED, text);
}

/** What the specification calls a name: of a container, and of a network. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
/** IFNAMSIZ - 1 (include/uapi/linux/if.h), bytes. */
const LONGEST_LINK_NAME = 15;

function checkContainer({ containerId, interfaceName }: Invocation): void {
  if (!NAME.test(containerId)) {
    throw new CniError(
      4,
      `invalid CNI_CONTAINERID: ${JSON.stringify(containerId)}`,
      'expected letters, digits, "_", "." and "-", a letter or digit first',
    );
  }
  const why = linkNameProblem(interfaceName);
  if (why !== undefined) throw new CniError(4, `invalid CNI_IFNAME: ${JSON.stringify(interfaceName)}`, why);
}

export function linkNameProblem(name: string): string | undefined {
  if (Buffer.byteLength(name) > LONGEST_LINK_NAME) return `longer than ${LONGEST_LINK_NAME} bytes`;
  if (name === '' || name === '.' || name === '..') return 'it is no name of an interface';
  const hasControl = Array.from(name).some((letter) => letter < ' ' || letter === '\u007f');
  return hasControl || /[/:%\s]/.test(name)
    ? 'the kernel takes no "/", ":", "%", blanks or control characters'
    : undefined;
}
