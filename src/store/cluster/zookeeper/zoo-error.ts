/** ZooKeeper's refusals in our words. */
import zookeeper from 'node-zookeeper-client';
import { TsnetError } from '../../../model/error.ts';

/** Nothing came in time, and the connection has been given up. */
export class NoAnswer extends Error {}

/** What ZooKeeper refused with, `zookeeper.Exception`; undefined for what is no answer of it. */
export function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

export interface FailedCall {
  /** "zk://10.0.0.5:2181" */
  readonly where: string;
  readonly act: string;
  readonly timeoutMs: number;
}

export function zooError(error: unknown, { where, act, timeoutMs }: FailedCall): TsnetError {
  if (error instanceof TsnetError) return error;
  const say = (code: 'TIMEOUT' | 'RUNTIME' | 'PERMISSION', why: string): TsnetError =>
    new TsnetError(code, `cluster store ${where}: ${act}: ${why}`, { cause: error });
  if (error instanceof NoAnswer)
    return say('TIMEOUT', `no answer within ${timeoutMs / 1000} s; is the way to it open?`);
  const code = codeOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (code === zookeeper.Exception.NO_AUTH || code === zookeeper.Exception.AUTH_FAILED) {
    return say('PERMISSION', `refused (${reason}); look at "user" and "password" in cluster-store-opts`);
  }
  return say('RUNTIME', `not reachable (${reason}); is ZooKeeper running?`);
}
