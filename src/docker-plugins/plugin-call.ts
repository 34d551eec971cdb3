/**
 * One call to a Docker plugin: an HTTP POST with a JSON body each way, over a unix socket or TCP, with TLS if it is set up.
 *
 * A plugin that is starting is waited for with growing pauses, as Docker does. Only what has certainly not reached it is sent
 * again: a join that is sent twice may make two links.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { TsnetError } from '../model/error.ts';
import type { JsonObject } from '../model/records.ts';
import type { PluginAddress, PluginTls } from './find-plugin.ts';

/** What Docker sends and expects. */
const MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json';
const LARGEST_ANSWER = 16 << 20;
const FIRST_PAUSE_MS = 1000;
const RESTART_MS = 2000;
const UNDOING_MS = 10_000;

export interface PluginTimes {
  /** How long nobody may listen at the address before it is given up. Docker: 30 s. */
  readonly connectMs: number;
  /** How long an answer may take. */
  readonly answerMs: number;
}

export const PLUGIN_TIMES: PluginTimes = { connectMs: 30_000, answerMs: 60_000 };

/** `patient`: a plugin that nobody listens for yet is waited for; `once`: it is not. */
export type Patience = 'patient' | 'once';

/** Undefined when the plugin does not know the method (HTTP 404). */
export type CallPlugin = (method: string, request?: JsonObject, patience?: Patience) => Promise<JsonObject | undefined>;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Nobody took the connection: nothing was asked, and the plugin may only be starting. */
class Unreachable extends Error {}

const NOBODY_THERE = ['ECONNREFUSED', 'ENOENT', 'EAGAIN', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

export function pluginCaller(address: PluginAddress, times: PluginTimes = PLUGIN_TIMES): CallPlugin {
  let answered = false;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  /** A plugin may still be starting, or be started anew; one that has just failed is not waited for while its change is undone. */
  const patienceMs = (patience: Patience): number => {
    if (patience === 'once' || performance.now() - failedAtMs < UNDOING_MS) return 0;
    return answered ? Math.min(times.connectMs, RESTART_MS) : times.connectMs;
  };
  return async (method, request, patience = 'patient') => {
    const act = `plugin ${address.name}: ${method.replace(/^.*\./, '')}`;
    try {
      const answer = await persist(() => send(address, method, request, times.answerMs), patienceMs(patience));
      answered = true;
      return read(answer, act);
    } catch (error) {
      if (error instanceof TsnetError && error.code === 'DRIVER') throw error;
      failedAtMs = performance.now();
      throw unanswered(error, act, address);
    }
  };
}

/** Tries until somebody listens, with pauses of 1, 2, 4 … seconds, as long as `patienceMs` allows. */
async function persist<T>(attempt: () => Promise<T>, patienceMs: number): Promise<T> {
  const end = performance.now() + patienceMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    try {
      return await attempt();
    } catch (error) {
      const left = end - performance.now();
      if (!(error instanceof Unreachable) || left <= 0) throw error;
      await pause(Math.min(pauseMs, left));
    }
  }
}

async function send(
  { transport }: PluginAddress,
  method: string,
  request: JsonObject | undefined,
  answerMs: number,
): Promise<Answer> {
  const tls = transport.kind === 'tcp' ? transport.tls : undefined;
  // Only networks of plugins pay for loading the HTTP client.
  const http = tls === undefined ? await import('node:http') : await import('node:https');
  const body = request === undefined ? '' : JSON.stringify(request);
  const options: RequestOptions = {
    method: 'POST',
    path: `/${method}`,
    agent: false,
    headers: {
      Accept: MEDIA_TYPE,
      'Content-Type': MEDIA_TYPE,
      'Content-Length': Buffer.byteLength(body),
      Host: 'plugin',
    },
    ...(transport.kind === 'unix' ? { socketPath: transport.socket } : { host: transport.host, port: transport.port }),
    ...(tls === undefined ? {} : tlsOptions(tls)),
  };
  return new Promise((resolve, reject) => {
    let connected = false;
    const asking = http.request(options, (response) => {
      collect(response).then((text) => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, text });
      }, fail);
    });
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      asking.destroy();
      reject(connected ? asError(error) : whileConnecting(asError(error)));
    };
    const timer = setTimeout(() => {
      fail(new TsnetError('TIMEOUT', `no answer within ${answerMs / 1000} s`));
    }, answerMs);
    asking.on('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
      });
    });
    asking.on('error', fail);
    asking.end(body);
  });
}

function whileConnecting(error: Error): Error {
  const code = 'code' in error ? error.code : undefined;
  return NOBODY_THERE.some((one) => one === code) ? new Unreachable(error.message, { cause: error }) : error;
}

function tlsOptions({ ca, cert, key, insecure }: PluginTls): object {
  return {
    rejectUnauthorized: !insecure,
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}

async function collect(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    if (text.length > LARGEST_ANSWER) throw new Error('the answer is too long');
  }
  return text;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The body; an error that the plugin tells of, by HTTP status or in the body (`Err`, of IPAM `Error`), is thrown. */
function read({ status, text }: Answer, act: string): JsonObject | undefined {
  if (status === 404) return undefined;
  const body = parse(text);
  const told = body?.['Err'] ?? body?.['Error'];
  if (typeof told === 'string' && told !== '') throw new TsnetError('DRIVER', `${act}: ${told}`);
  if (status !== 200) throw new TsnetError('DRIVER', `${act}: HTTP ${status} ${text.trim()}`.trim());
  if (body === undefined) throw new TsnetError('DRIVER', `${act}: the answer is no JSON object: ${text.slice(0, 80)}`);
  return body;
}

function parse(text: string): JsonObject | undefined {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function unanswered(error: unknown, act: string, { source }: PluginAddress): TsnetError {
  if (error instanceof TsnetError) {
    return new TsnetError(error.code, `${act}: ${error.message} (${source}); is the plugin hung?`, { cause: error });
  }
  const { message } = asError(error);
  return new TsnetError(
    'RUNTIME',
    error instanceof Unreachable
      ? `${act}: nobody listens at ${source} (${message}); start the plugin`
      : `${act}: the plugin at ${source} gave no answer (${message}); is it running?`,
    { cause: error },
  );
}
