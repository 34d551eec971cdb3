/** HTTP over a unix socket: one request, one JSON answer. */
import { request, type IncomingMessage } from 'node:http';
import { errorOf, type ErrorBody } from '../api/error-body.ts';
import type { Verb } from '../api/routes.ts';
import { TsnetError } from '../model/error.ts';

export interface Question {
  readonly verb: Verb;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}

/** The answer's JSON; undefined for an empty one. @throws the error that the daemon told, TsnetError RUNTIME where it is gone */
export async function askSocket(socket: string, { verb, path, body }: Question): Promise<unknown> {
  const { status, text } = await exchange(socket, { verb, path, body });
  if (status < 400) return text === '' ? undefined : (JSON.parse(text) as unknown);
  throw toldError(status, text);
}

/** The error in an answer. */
export function toldError(status: number, text: string): Error {
  try {
    const told: unknown = JSON.parse(text);
    if (typeof told === 'object' && told !== null && 'message' in told) {
      const body = told as ErrorBody;
      // Docker's paths tell no code; what they refuse is not a bug.
      return errorOf(body.code === undefined && status < 500 ? { ...body, code: 'INVALID' } : body);
    }
  } catch {
    // Not a daemon of ours.
  }
  return new TsnetError('RUNTIME', `ask the daemon: it answered ${status} ${text.slice(0, 200)}`);
}

export function daemonGone(socket: string, cause: Error): TsnetError {
  const why = `${cause.message}; what it was doing it finishes or undoes`;
  return new TsnetError('RUNTIME', `ask the daemon at ${socket}: ${why}`, { cause });
}

export async function answerText(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of answer as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}

function exchange(
  socketPath: string,
  { verb, path, body }: Question,
): Promise<{ readonly status: number; readonly text: string }> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const gone = (cause: Error): void => {
      reject(daemonGone(socketPath, cause));
    };
    const asking = request({ socketPath, method: verb, path, headers: { host: 'tsnet', ...headers } }, (answer) => {
      answerText(answer).then((told) => {
        resolve({ status: answer.statusCode ?? 500, text: told });
      }, gone);
    });
    asking.on('error', gone);
    asking.end(text);
  });
}
