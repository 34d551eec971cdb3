/** The HTTP side of the daemon: what is refused before a use case sees it, and which routes there are. */
import swagger from '@fastify/swagger';
import { Ajv } from 'ajv';
import Fastify, { type FastifyInstance } from 'fastify';
import { TsnetError } from '../../model/error.ts';
import type { Metrics } from '../metrics.ts';
import { cniRoute } from './cni-route.ts';
import { netavarkRoute } from './netavark-route.ts';
import { dockerRoutes } from './docker/docker-routes.ts';
import type { DockerParts } from './docker/docker-parts.ts';
import { routedPath } from './docker/docker-path.ts';
import { serverHeaders } from './docker/system-routes.ts';
import { answerErrors, errorAnswer, JSON_TYPE } from './error-answer.ts';
import { tsnetRoutes } from './tsnet-routes.ts';

/** A request with everything in it is some kilobytes. */
const MOST_BODY_BYTES = 1 << 20;
/** Names may be long, filters longer. */
const MOST_PATH_FIELD = 4096;

export interface ServerParts extends DockerParts {
  readonly metrics: Metrics;
}

export async function buildServer({ metrics, ...parts }: ServerParts): Promise<FastifyInstance> {
  const { engine, log, version } = parts;
  const headers = serverHeaders(version);
  const app = Fastify({
    bodyLimit: MOST_BODY_BYTES,
    // A route for HEAD beside each GET would answer at paths where Docker has none.
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: MOST_PATH_FIELD, ignoreTrailingSlash: true },
    rewriteUrl: ({ method = 'GET', url = '/' }) => routedPath(method, url),
    // A path that cannot be decoded: no route and no hook sees it.
    frameworkErrors: (error, _request, reply) => {
      const { message } = errorAnswer(error).body;
      reply.raw.writeHead(400, { ...headers, 'content-type': JSON_TYPE }).end(JSON.stringify({ message }));
      void reply.hijack();
    },
  });
  app.setValidatorCompiler(validators());
  app.setErrorHandler(answerErrors(log));
  app.setNotFoundHandler((_request, reply) => reply.code(404).type(JSON_TYPE).send('{"message":"page not found"}'));
  readBodies(app);
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(headers);
    await Promise.resolve();
  });
  app.addHook('onResponse', async ({ method, routeOptions }, { statusCode }) => {
    metrics.onRequest({ method, route: routeOptions.url ?? 'none', status: statusCode });
    await Promise.resolve();
  });
  app.addHook('onSend', async (_request, reply) => {
    if (String(reply.getHeader('content-type')).startsWith(`${JSON_TYPE};`)) reply.header('content-type', JSON_TYPE);
  });
  await app.register(swagger, {
    openapi: { openapi: '3.0.3', info: { title: 'tsnet', version, description: 'Container networking on this host.' } },
  });
  await app.register(async (scope) => {
    tsnetRoutes(scope, engine);
    netavarkRoute(scope, engine);
    scope.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
    scope.get('/metrics', { schema: { summary: 'Counts for Prometheus', tags: ['tsnet'] } }, async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    );
    await Promise.resolve();
  });
  await app.register(async (scope) => {
    cniRoute(scope, engine, log);
    await Promise.resolve();
  });
  await app.register(async (scope) => {
    dockerRoutes(scope, parts);
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

/** JSON, or nothing at all: where there is no body its type is of no interest. */
function readBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'string' }, (request, text, done) => {
    if (text === '') done(null, {});
    else void parse(request, text as string, done);
  });
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, text, done) => {
    const type = request.headers['content-type'] ?? '';
    if (text === '') done(null, {});
    else done(new TsnetError('INVALID', `unsupported Content-Type header (${type}): must be '${JSON_TYPE}'`));
  });
}
