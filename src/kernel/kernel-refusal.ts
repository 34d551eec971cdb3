/**
 * What the kernel refuses, and how tsnet says so: errno becomes a code in this one place.
 */
import { getSystemErrorMap } from 'node:util';
import { TsnetError, type ErrorCode } from '../model/error.ts';

/** Numbers that libuv has no name for, or another than the kernel. */
const NAMELESS: ReadonlyMap<number, readonly [string, string]> = new Map([
  [54, ['EXFULL', 'no room']],
  [95, ['EOPNOTSUPP', 'operation not supported']],
]);

let errors: ReadonlyMap<number, readonly [string, string]> | undefined;

/** Node.js makes the map anew whenever it is asked, which takes longer than most requests. */
function systemErrors(): NonNullable<typeof errors> {
  return (errors ??= getSystemErrorMap());
}

/** An errno of the kernel, from a netlink answer or a system call. */
export class KernelRefusal extends Error {
  override readonly name = 'KernelRefusal';
  /** Positive: 17 for EEXIST. */
  readonly errno: number;
  /** "EEXIST"; "E524" for a number that has no name in user space. */
  readonly code: string;
  /** The kernel's own words (NLMSGERR_ATTR_MSG), where it gave some. */
  readonly explanation: string | undefined;

  constructor(errno: number, explanation?: string) {
    const [code, meaning] = NAMELESS.get(errno) ?? systemErrors().get(-errno) ?? [`E${errno}`, 'unknown error'];
    super(`${explanation ?? meaning} (${code})`);
    this.errno = errno;
    this.code = code;
    this.explanation = explanation;
  }
}

const ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  EPERM: 'PERMISSION',
  EACCES: 'PERMISSION',
  EOPNOTSUPP: 'UNSUPPORTED',
  EPROTONOSUPPORT: 'UNSUPPORTED',
  EAFNOSUPPORT: 'UNSUPPORTED',
  ETIMEDOUT: 'TIMEOUT',
  EXFULL: 'EXHAUSTED',
};

const WAYS_OUT: Readonly<Record<string, string>> = {
  EPERM: '; run as root (CAP_NET_ADMIN and CAP_SYS_ADMIN)',
  EXFULL: '; a Linux bridge takes 1,023 ports (BR_MAX_PORTS): put further containers on another network',
  EOPNOTSUPP: '; this kernel lacks the feature or its module is not loaded',
};

/** The error of an act that failed: `attempt` reads "create bridge tsnet0". Errors of ours pass through. */
export function refused(attempt: string, cause: unknown): TsnetError {
  if (cause instanceof TsnetError) return cause;
  const code = errorCode(cause) ?? '';
  // From netlink EACCES speaks of the thing ("IPv6 is disabled on this device"), not of the caller.
  const known = code === 'EACCES' && cause instanceof KernelRefusal ? undefined : ERROR_CODES[code];
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TsnetError(known ?? 'KERNEL', `cannot ${attempt}: ${reason}${WAYS_OUT[code] ?? ''}`, {
    cause,
  });
}

/** The errno name that an error carries: of a refusal, or of node:fs. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether reading below /proc/PID failed because the process ended. */
export function hasEnded(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ESRCH';
}
