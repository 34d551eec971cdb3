/** Docker's routes about the daemon itself: is it there, what is it, what happens. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { API_VERSION } from './api-version.ts';
import { apiVersion, type DockerParts } from './docker-parts.ts';
import { streamEvents } from './event-stream.ts';
import { parseFilters } from './filters.ts';
import { infoAnswer, versionAnswer } from './system-answers.ts';

const TAGS = ['docker'];

/** What Docker's server says of itself with every answer; clients choose their version by it. */
export function serverHeaders(version: string): Readonly<Record<string, string>> {
  return {
    'api-version': API_VERSION,
    'docker-experimental': 'false',
    ostype: 'linux',
    server: `tsnet/${version} (linux)`,
    swarm: 'inactive',
  };
}

export function systemRoutes(app: FastifyInstance, { engine, events, version }: DockerParts): void {
  const ping = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
    reply
      .headers({ 'cache-control': 'no-cache, no-store, must-revalidate', pragma: 'no-cache' })
      .type('text/plain; charset=utf-8')
      .send('OK');
  app.get('/_ping', { schema: { summary: 'Whether the daemon answers', tags: TAGS } }, ping);
  app.head('/_ping', { schema: { summary: 'Whether the daemon answers', tags: TAGS } }, ping);

  app.get('/version', { schema: { summary: 'Versions', tags: TAGS } }, () => versionAnswer(version));

  app.get(
    '/info',
    { schema: { summary: 'The state of the host, its networking part', tags: TAGS } },
    async (request) => {
      const [info, sandboxes] = await Promise.all([engine().info(), engine().listSandboxes()]);
      return infoAnswer(info, sandboxes.filter(({ alive }) => alive).length, apiVersion(request));
    },
  );

  app.get<{ Querystring: { since?: string; until?: string; filters?: string } }>(
    '/events',
    {
      schema: {
        summary: 'What happens to networks, one JSON object a line',
        tags: TAGS,
        querystring: Type.Object({
          since: Type.Optional(
            Type.String({ description: 'Unix seconds with decimals, or RFC 3339; 1,000 events are remembered' }),
          ),
          until: Type.Optional(Type.String({ description: 'The same; the stream ends there' })),
          filters: Type.Optional(Type.String({ description: 'JSON: container, event, label, network, scope, type' })),
        }),
      },
    },
    (request, reply) => {
      const { filters, ...times } = request.query;
      const now = (): number => Date.now();
      streamEvents(reply, { events, wish: { ...times, filters: parseFilters(filters) }, now });
    },
  );
}
