/**
 * A call carried to a daemon as it is, environment and input, and carried out there: one request, so that this process loads neither
 * the protocol nor the engine. By hand over node:net, since node:http takes as long to load as the daemon to answer.
 */
import { connect } from 'node:net';
import { TsnetError } from '../../model/error.ts';
import type { CniCallAnswer, CniCallRequest } from './daemon-call.ts';
import { CNI_PATH_OF_DAEMON } from './daemon-call.ts';

/** Undefined where nobody listens, or somebody who does not know such calls. @throws TsnetError PERMISSION, RUNTIME */
export async function askDaemon(socket: string, call: CniCallRequest): Promise<CniCallAnswer | undefined> {
  const body = JSON.stringify(call);
  const text = await exchange(
    socket,
    `POST ${CNI_PATH_OF_DAEMON} HTTP/1.1\r\nhost: tsnet\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  if (text === undefined) return undefined;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  const end = text.indexOf('\r\n\r\n');
  if (status === '404' || status === '413') return undefined;
  if (status === '200' && end !== -1) {
    try {
      return JSON.parse(text.slice(end + 4)) as CniCallAnswer;
    } catch {
      // Cut short.
    }
  }
  throw gone(socket, `it answered ${JSON.stringify(text.slice(0, 100))}`);
}

function exchange(socket: string, request: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let isOpen = false;
    const connection = connect(socket, () => {
      isOpen = true;
    });
    connection.on('data', (part) => parts.push(part));
    connection.on('end', () => {
      resolve(Buffer.concat(parts).toString('utf8'));
    });
    connection.on('error', (error: NodeJS.ErrnoException) => {
      if (isOpen) reject(gone(socket, error.message));
      else if (error.code === 'EACCES' || error.code === 'EPERM') reject(denied(socket));
      else resolve(undefined);
    });
    connection.write(request);
  });
}

function gone(socket: string, why: string): TsnetError {
  return new TsnetError('RUNTIME', `ask the daemon at ${socket}: ${why}; what it was doing it finishes or undoes`);
}

function denied(socket: string): TsnetError {
  return new TsnetError('PERMISSION', `ask the daemon at ${socket}: permission denied; a CNI plugin runs as root`);
}
