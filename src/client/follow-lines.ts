/** A stream of lines that a daemon sends until one of the two ends it. */
import { request, type IncomingMessage } from 'node:http';
import { TsnetError } from '../model/error.ts';
import { answerText, daemonGone, toldError } from './ask-socket.ts';

export interface Following {
  readonly socket: string;
  /** With its query. */
  readonly path: string;
  readonly onLine: (line: string) => void;
}

/** Resolves when the stream has ended; `stop` ends it from this side. @throws the error that the daemon told, TsnetError RUNTIME */
export function followLines({ socket, path, onLine }: Following): {
  readonly ended: Promise<void>;
  readonly stop: () => void;
} {
  let isStopped = false;
  const asking = request({ socketPath: socket, path, headers: { host: 'tsnet' } });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    asking.once('response', resolve).once('error', (error) => {
      reject(daemonGone(socket, error));
    });
  });
  const read = async (): Promise<void> => {
    const answer = await answered;
    if (answer.statusCode !== 200) throw toldError(answer.statusCode ?? 500, await answerText(answer));
    let rest = '';
    try {
      for await (const part of answer.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = (rest + part).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line);
      }
    } catch (cause) {
      if (!isStopped) throw new TsnetError('RUNTIME', `follow the daemon at ${socket}: it is gone`, { cause });
    }
  };
  asking.end();
  return {
    ended: read(),
    stop: () => {
      isStopped = true;
      asking.destroy();
    },
  };
}
