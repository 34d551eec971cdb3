/** The HTTP side of the daemon: what is refused before a use case sees it, and which routes there are. */
import swagger from '@fastify/swagger';
import { Ajv } from 'ajv';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Engine } from '../../engine/engine.ts';
import type { Log } from '../log.ts';
import { answerErrors, JSON_TYPE } from './error-answer.ts';
import { tsnetRoutes } from './tsnet-routes.ts';

/** A request with everything in it is some kilobytes. */
const MOST_BODY_BYTES = 1 << 20;
/** Names may be long, filters longer. */
const MOST_PATH_FIELD = 4096;

export interface ServerParts {
  readonly engine: () => Engine;
  readonly log: Log;
  readonly version: string;
}

export async function buildServer({ engine, log, version }: ServerParts): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: MOST_PATH_FIELD, ignoreTrailingSlash: true },
  });
  app.setValidatorCompiler(validators());
  app.setErrorHandler(answerErrors(log));
  app.setNotFoundHandler((_request, reply) => reply.code(404).type(JSON_TYPE).send('{"message":"page not found"}'));
  readBodies(app);
  app.addHook('onSend', async (_request, reply) => {
    if (String(reply.getHeader('content-type')).startsWith(`${JSON_TYPE};`)) reply.header('content-type', JSON_TYPE);
  });
  await app.register(swagger, {
    openapi: { openapi: '3.0.3', info: { title: 'tsnet', version, description: 'Container networking on this host.' } },
  });
  await app.register(async (scope) => {
    tsnetRoutes(scope, engine);
    scope.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    await Promise.resolve();
  });
  await app.ready();
  return app;
}

/** Text in a path or a query stands for numbers and booleans; in a body every value has its own type. */
function validators(): (part: { schema: unknown; httpPart?: string }) => ReturnType<Ajv['compile']> {
  const options = { allErrors: false, strict: false } as const;
  const ofBodies = new Ajv(options);
  const ofText = new Ajv({ ...options, coerceTypes: true });
  return ({ schema, httpPart }) => (httpPart === 'body' ? ofBodies : ofText).compile(schema as object);
}

/** JSON, or nothing at all. */
function readBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, {});
    else void parse(request, text as string, done);
  });
}
