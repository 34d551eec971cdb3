/** Every use case of the engine under /tsnet/v1, by the table that the thin client asks by. */
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import {
  API_PREFIX,
  EMPTY_FIELD,
  pathFields,
  ROUTES,
  type EngineMethod,
  type Fields,
  type Route,
} from '../../api/routes.ts';
import type { Engine } from '../../engine/engine.ts';
import { TsnetError } from '../../model/error.ts';
import { SCHEMAS } from './schemas.ts';

/** `engine` is asked at each request: a reload exchanges it. */
export function tsnetRoutes(app: FastifyInstance, engine: () => Engine): void {
  for (const method of Object.keys(ROUTES) as EngineMethod[]) addRoute(app, engine, method);
}

function addRoute(app: FastifyInstance, engine: () => Engine, method: EngineMethod): void {
  const route = ROUTES[method] as Route;
  const { verb, path, summary } = route;
  app.route({
    method: verb,
    url: API_PREFIX + path,
    schema: { summary, operationId: method, tags: ['tsnet'], ...partsOf(method, verb, path) },
    handler: async (request, reply) => {
      const fields: Fields = {
        ...(request.query as Fields),
        ...(request.body as Fields | null),
        ...inPath(request.params as Fields),
      };
      const use = engine() as unknown as Record<EngineMethod, (...given: readonly unknown[]) => Promise<unknown>>;
      const answer = await use[method](...argumentsOf(route, fields));
      if (answer === undefined) return reply.code(204).send();
      return answer;
    },
  });
}

function inPath(params: Fields): Fields {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value === EMPTY_FIELD ? '' : value]));
}

function argumentsOf(route: Route, fields: Fields): readonly unknown[] {
  try {
    return route.args(fields as never);
  } catch (cause) {
    throw new TsnetError('INVALID', `invalid request: query/filters must be JSON`, { cause });
  }
}

/** The schema of a request, cut by where its values travel. */
function partsOf(method: EngineMethod, verb: string, path: string): Readonly<Record<string, unknown>> {
  const { properties } = SCHEMAS[method] as Type.TObject;
  const inPath = pathFields(path);
  const of = (names: readonly string[]): Type.TObject =>
    Type.Object(Object.fromEntries(names.flatMap((name) => (properties[name] ? [[name, properties[name]]] : []))), {
      additionalProperties: false,
    });
  const rest = Object.keys(properties).filter((name) => !inPath.includes(name));
  return {
    ...(inPath.length > 0 ? { params: of(inPath) } : {}),
    ...(verb === 'POST' ? { body: of(rest) } : { querystring: of(rest) }),
  };
}
