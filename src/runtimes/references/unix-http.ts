/**
 * One GET over a unix socket: how the APIs of Docker and Podman are asked.
 */
import { TsnetError } from '../../model/error.ts';

export interface UnixRequest {
  readonly socket: string;
  /** Path and query. */
  readonly path: string;
  readonly timeoutMs: number;
}

export interface UnixResponse {
  readonly status: number;
  readonly body: unknown;
}

/** A description of one container is some tens of kilobytes; more than this is not one. */
const LARGEST_BODY = 16 << 20;

/**
 * Rejects with the system's error (ENOENT, ECONNREFUSED, EACCES: `code`) when nobody answers, with TIMEOUT when the answer
 * is not complete in time, and with RUNTIME when it is not JSON.
 */
export async function getJson({ socket, path, timeoutMs }: UnixRequest): Promise<UnixResponse> {
  // Only those who name a Docker or Podman container pay for loading the HTTP client.
  const { request } = await import('node:http');
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asking = request({ socketPath: socket, path, headers: { Host: 'localhost' }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > LARGEST_BODY)
          asking.destroy(new TsnetError('RUNTIME', `ask ${socket}: the answer is too long`));
      });
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    const timer = setTimeout(() => {
      asking.destroy(new TsnetError('TIMEOUT', `ask ${socket}: no answer within ${timeoutMs / 1000} s; is it hung?`));
    }, timeoutMs);
    asking.on('error', fail);
    asking.end();
  });
  try {
    return { status, body: JSON.parse(text) as unknown };
  } catch (error) {
    throw new TsnetError('RUNTIME', `ask ${socket}: the answer (HTTP ${status}) is not JSON`, { cause: error });
  }
}
