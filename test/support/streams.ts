/** TCP connections that a change must not cut. */
import { once } from 'node:events';
import path from 'node:path';
import { until, type Namespace } from './lab.ts';

const program = (name: string): string => path.join(import.meta.dirname, name);

export async function startEchoServer(where: Namespace, port: number): Promise<void> {
  const server = where.start(process.execPath, [program('echo-server.js'), String(port)]);
  if (server.stdout !== null) await once(server.stdout, 'data');
}

export interface Stream {
  /** Resolves when `count` more numbers came back, in order and none missing. Throws when the connection ended. */
  readonly goesOn: (count?: number) => Promise<void>;
}

/** A client in `where` that talks to an echo server without a pause. */
export async function startStream(where: Namespace, host: string, port: number): Promise<Stream> {
  const client = where.start(process.execPath, [program('keep-talking.js'), host, String(port)]);
  let heard = '';
  client.stdout?.on('data', (data: Buffer) => (heard += data.toString()));
  const numbers = (): number => {
    const lines = heard.split('\n').slice(0, -1);
    const wrong = lines.find((line, index) => line !== String(index + 1));
    if (wrong !== undefined) throw new Error(`the stream to ${host}:${String(port)} broke: ${wrong}`);
    return lines.length;
  };
  await until(() => numbers() > 0, 10_000);
  return {
    goesOn: async (count = 20) => {
      const before = numbers();
      await until(() => numbers() >= before + count, 10_000);
    },
  };
}
