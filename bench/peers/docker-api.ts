/** The Docker Engine API over its socket, one connection kept open, as a client of dockerd would. */
import http from 'node:http';

export interface DockerApi {
  /** POST; resolves to the answer's JSON, undefined without one. Throws what dockerd says unless it succeeds. */
  readonly post: (path: string, body?: unknown) => Promise<unknown>;
  readonly delete: (path: string) => Promise<unknown>;
  readonly close: () => void;
}

export function openDockerApi(socketPath: string): DockerApi {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: string, path: string, body?: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const request = http.request({ agent, socketPath, method, path, headers }, (response) => {
        let answer = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
        response.on('error', reject);
        response.on('end', () => {
          if ((response.statusCode ?? 500) >= 300) reject(new Error(`${method} ${path}: ${answer.trim()}`));
          else resolve(answer.startsWith('{') ? (JSON.parse(answer) as unknown) : undefined);
        });
      });
      request.on('error', reject);
      request.end(text);
    });
  return {
    post: (path, body) => ask('POST', path, body),
    delete: (path) => ask('DELETE', path),
    close: () => {
      agent.destroy();
    },
  };
}
