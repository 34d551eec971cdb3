/**
 * The Docker Engine's paths, so that its own clients manage our networks: thin translations into the engine's requests. Which
 * version of the API a client speaks is in its path (`docker-path.ts` takes it out before routing).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../../log.ts';
import { errorAnswer, JSON_TYPE } from '../error-answer.ts';
import { checkApiVersion } from './api-version.ts';
import { containerRoutes } from './container-routes.ts';
import { apiVersion, type DockerParts } from './docker-parts.ts';
import { networkRoutes } from './network-routes.ts';
import { systemRoutes } from './system-routes.ts';

export function dockerRoutes(app: FastifyInstance, parts: DockerParts): void {
  // What a schema says of answers is for readers; nothing is left out of them.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.setErrorHandler(answerErrors(parts.log));
  app.addHook('onRequest', async (request) => {
    checkApiVersion(apiVersion(request));
    await Promise.resolve();
  });
  systemRoutes(app, parts);
  networkRoutes(app, parts);
  containerRoutes(app, parts);
}

/** Docker tells a message and nothing else; a body of a wrong type is a bad request there. */
function answerErrors(log: Log) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { status, body } = errorAnswer(error);
    if (status >= 500) log.error({ method: request.method, url: request.url, status, error }, body.message);
    await reply
      .code(status === 413 || status === 415 ? 400 : status)
      .type(JSON_TYPE)
      .send(JSON.stringify({ message: body.message }));
  };
}
