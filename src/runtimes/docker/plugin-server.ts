/**
 * The plugin's HTTP side: every method is a POST with JSON both ways. What goes wrong is one line in the answer, which Docker shows
 * whoever typed the command. Network drivers say it in `Err`, IPAM drivers in `Error`.
 */
import Fastify, { type FastifyInstance } from 'fastify';
import { TsnetError } from '../../model/error.ts';
import { isMessage, type Message } from './message.ts';
import type { Methods } from './methods.ts';

const MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json';
/** The port map of a container with all its ports is some megabytes. */
const MOST_BODY_BYTES = 16 << 20;

export interface PluginServerParts {
  readonly methods: Methods;
  /** Told of each error: not all that Docker is told reaches a person. */
  readonly onError: (method: string, error: unknown) => void;
}

export async function buildPluginServer({ methods, onError }: PluginServerParts): Promise<FastifyInstance> {
  const app = Fastify({ bodyLimit: MOST_BODY_BYTES });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
    done(null, text);
  });
  const refused = (error: unknown): Message => {
    const line = (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
    return { Err: line, Error: line };
  };
  app.setErrorHandler(async (error, _request, reply) =>
    // A body that is too long, a request that is none: still an answer of the protocol.
    reply
      .code(400)
      .type(MEDIA_TYPE)
      .send(JSON.stringify(refused(error))),
  );
  app.setNotFoundHandler((_request, reply) =>
    reply
      .code(404)
      .type(MEDIA_TYPE)
      .send(JSON.stringify(refused('no such method'))),
  );
  for (const [name, method] of Object.entries(methods)) {
    app.post(`/${name}`, async ({ body }, reply) => {
      let answer: Message;
      try {
        answer = await method(messageOf(body));
      } catch (error) {
        onError(name, error);
        answer = refused(error);
      }
      await reply.type(MEDIA_TYPE).send(JSON.stringify(answer));
    });
  }
  await app.ready();
  return app;
}

/** Docker sends "null", or nothing, where there is nothing to say. */
function messageOf(body: unknown): Message {
  if (typeof body !== 'string' || body.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new TsnetError('INVALID', 'the request is not JSON', { cause });
  }
  if (value === null) return {};
  if (isMessage(value)) return value;
  throw new TsnetError('INVALID', 'the request is no JSON object');
}
