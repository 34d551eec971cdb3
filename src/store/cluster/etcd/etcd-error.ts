/** etcd's refusals, and gRPC's, in our words. */
import { status, type ServiceError } from '@grpc/grpc-js';
import { TsnetError } from '../../../model/error.ts';

/** What can be done about a call that failed. */
export type Failure =
  /** The server cannot be asked, or no longer: try another, or again. */
  | 'unreachable'
  /** Nothing came in time. */
  | 'unanswered'
  /** Our token is too old: get another. */
  | 'stale-token'
  /** It does not let us. */
  | 'denied'
  | 'other';

export function failureOf(error: unknown): Failure {
  if (!isServiceError(error)) return 'other';
  const { code, details } = error;
  if (code === status.UNAVAILABLE || code === status.CANCELLED) return 'unreachable';
  if (code === status.DEADLINE_EXCEEDED) return 'unanswered';
  if (code === status.UNAUTHENTICATED) return 'stale-token';
  if (code === status.PERMISSION_DENIED) return 'denied';
  // etcd has no codes for these (rpctypes/error.go).
  if (code !== status.INVALID_ARGUMENT) return 'other';
  if (details.includes('revision of auth store is old')) return 'stale-token';
  return /authentication failed|user name is empty/.test(details) ? 'denied' : 'other';
}

export interface FailedCall {
  /** "etcd://10.0.0.5:2379" */
  readonly where: string;
  readonly act: string;
  readonly timeoutMs: number;
}

export function etcdError(error: unknown, { where, act, timeoutMs }: FailedCall): TsnetError {
  if (error instanceof TsnetError) return error;
  const say = (code: 'TIMEOUT' | 'RUNTIME' | 'PERMISSION', why: string): TsnetError =>
    new TsnetError(code, `cluster store ${where}: ${act}: ${why}`, { cause: error });
  switch (failureOf(error)) {
    case 'unanswered':
      return say('TIMEOUT', `no answer within ${timeoutMs / 1000} s; is the way to it open?`);
    case 'unreachable':
      return say('RUNTIME', `not reachable (${reasonOf(error)}); is etcd running?`);
    case 'stale-token':
    case 'denied':
      return say('PERMISSION', `refused (${reasonOf(error)}); look at "user" and "password" in cluster-store-opts`);
    case 'other':
      return say('RUNTIME', reasonOf(error));
  }
}

/** One line, without gRPC's preambles. */
export function reasonOf(error: unknown): string {
  const text = isServiceError(error) ? error.details : error instanceof Error ? error.message : String(error);
  const line = text.replace(/^No connection established\. Last error: /, '').replace(/\s*\n\s*/g, ' ');
  // "Resolution note: …" repeats what was said.
  return line.replace(/\.? Resolution note:.*$/, '').replace(/^Error: /, '') || 'no reason given';
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && typeof error.details === 'string';
}
