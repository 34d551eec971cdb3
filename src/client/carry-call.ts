/**
 * A call of a runtime's plugin carried to a daemon as it is, and carried out there: one request, so that this process loads neither the
 * protocol nor the engine.
 */
import { existsSync, readFileSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';
import { blockingExchange } from './blocking-exchange.ts';

/** A runtime gives up on a plugin earlier. */
const PATIENCE_SECONDS = 300;

export interface CarriedCall {
  readonly socket: string;
  /** Where the daemon takes such calls: "/tsnet/v1/runtimes/cni". */
  readonly path: string;
  /** JSON-safe. */
  readonly call: unknown;
}

/**
 * The answer's JSON, which a daemon of the same version wrote. Undefined where nobody listens, or somebody who does not know such calls.
 * @throws TsnetError PERMISSION, RUNTIME
 */
export function carryCall({ socket, path, call }: CarriedCall): unknown {
  const body = JSON.stringify(call);
  const head = `POST ${path} HTTP/1.1\r\nhost: tsnet\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const text = blockingExchange(socket, head + body, PATIENCE_SECONDS);
  if (text === undefined) return undefined;
  const status = text.slice(0, 'HTTP/1.1 200'.length).slice(-3);
  const end = text.indexOf('\r\n\r\n');
  if (status === '404' || status === '413') return undefined;
  if (status === '200' && end !== -1) {
    try {
      return JSON.parse(text.slice(end + 4)) as unknown;
    } catch {
      // Cut short.
    }
  }
  const told = JSON.stringify(text.slice(0, 100));
  throw new TsnetError(
    'RUNTIME',
    `ask the daemon at ${socket}: it answered ${told}; what it was doing it finishes or undoes`,
  );
}

/**
 * The sockets at which a daemon may listen, where that can be told without reading the configuration in full: its checks cost as
 * much as the call. Undefined: daemon.json or the environment says something about it.
 */
export function usualSockets(env: Readonly<Record<string, string | undefined>>): readonly string[] | undefined {
  if ((env['TSNET_HOST'] ?? '') !== '') return undefined;
  const file = env['TSNET_CONFIG'] || '/etc/tsnet/daemon.json';
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // There is none.
  }
  if (/hosts|exec-root|\\/.test(text)) return undefined;
  const socket = `${env['TSNET_EXEC_ROOT'] || '/run/tsnet'}/tsnet.sock`;
  return existsSync(socket) ? [socket] : [];
}
