/**
 * The ways to name a container that is not in the ledger: text in, typed out.
 */
import { TsnetError } from '../../model/error.ts';

export type Reference =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'pid'; readonly pid: number }
  /** A name, an id or a unique prefix of an id: as that runtime's own command takes it. */
  | { readonly kind: 'docker' | 'podman'; readonly name: string }
  /** `containerd:ID` or `containerd:NAMESPACE/ID`. */
  | { readonly kind: 'containerd'; readonly namespace?: string; readonly id: string };

const REFERENCE_FORMS =
  'the name or id of a sandbox (`tsnet ps`), a path, netns:NAME, pid:N, docker:NAME, podman:NAME, containerd:[NAMESPACE/]ID';

/** Where `ip netns` binds its namespaces. */
const NAMED_NETNS = '/run/netns';

/** Names that runtimes accept; none can climb out of a folder or pass for an option. */
const RUNTIME_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$/;
/** `ip netns` takes any file name. */
const FILE_NAME = /^(?!\.{1,2}$)[^/\0]{1,255}$/;
/** Above the kernel's PID_MAX_LIMIT (2^22) there is no process. */
const LAST_PID = 4_194_304;

function malformed(text: string, why: string): TsnetError {
  return new TsnetError('INVALID', `find container ${JSON.stringify(text)}: ${why}`);
}

function runtimeName(text: string, name: string): string {
  if (RUNTIME_NAME.test(name)) return name;
  throw malformed(text, `${JSON.stringify(name)} is not a container name`);
}

/** Throws INVALID; what is neither a path nor has a known prefix is NOT_FOUND, since the ledger has been asked before. */
export function parseReference(text: string): Reference {
  if (text.startsWith('/')) {
    if (text.includes('\0')) throw malformed(text, 'a path has no NUL in it');
    return { kind: 'path', path: text };
  }
  const colon = text.indexOf(':');
  const rest = text.slice(colon + 1);
  switch (colon < 0 ? '' : text.slice(0, colon)) {
    case 'netns':
      if (!FILE_NAME.test(rest)) throw malformed(text, `netns:NAME takes the name of a file in ${NAMED_NETNS}`);
      return { kind: 'path', path: `${NAMED_NETNS}/${rest}` };
    case 'pid': {
      const pid = /^[1-9][0-9]{0,6}$/.test(rest) ? Number(rest) : 0;
      if (pid < 1 || pid > LAST_PID) throw malformed(text, 'pid:N takes a process id, a whole number from 1');
      return { kind: 'pid', pid };
    }
    case 'docker':
      return { kind: 'docker', name: runtimeName(text, rest) };
    case 'podman':
      return { kind: 'podman', name: runtimeName(text, rest) };
    case 'containerd': {
      const slash = rest.indexOf('/');
      const id = runtimeName(text, rest.slice(slash + 1));
      if (slash < 0) return { kind: 'containerd', id };
      return { kind: 'containerd', namespace: runtimeName(text, rest.slice(0, slash)), id };
    }
    default:
      throw new TsnetError('NOT_FOUND', `container ${text} not found; CONTAINER is ${REFERENCE_FORMS}`);
  }
}
