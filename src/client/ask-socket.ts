/** HTTP over a unix socket: one request, one JSON answer. */
import { request } from 'node:http';
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
  throw errorOf(toldError(status, text));
}

function toldError(status: number, text: string): ErrorBody {
  try {
    const told: unknown = JSON.parse(text);
    if (typeof told === 'object' && told !== null && 'message' in told) return told as ErrorBody;
  } catch {
    // Not a daemon of ours.
  }
  return { code: 'RUNTIME', message: `ask the daemon: it answered ${status} ${text.slice(0, 200)}` };
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
      reject(
        new TsnetError(
          'RUNTIME',
          `ask the daemon at ${socketPath}: ${cause.message}; what it was doing it finishes or undoes`,
          {
            cause,
          },
        ),
      );
    };
    const asking = request({ socketPath, method: verb, path, headers: { host: 'tsnet', ...headers } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', gone);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 500, text: Buffer.concat(parts).toString('utf8') });
      });
    });
    asking.on('error', gone);
    asking.end(text);
  });
}
