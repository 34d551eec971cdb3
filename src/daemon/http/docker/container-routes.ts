/** Docker's routes about containers: lists and shows the sandboxes. Nothing is started or stopped by them. */
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { TsnetError } from '../../../model/error.ts';
import { CONTAINER_FILTERS, containerInspect, containerSummary, passes } from './containers.ts';
import { apiVersion, type DockerParts } from './docker-parts.ts';
import { parseFilters, requireKnown } from './filters.ts';

const TAGS = ['docker'];

export function containerRoutes(app: FastifyInstance, { engine }: DockerParts): void {
  app.get<{ Querystring: { all?: string; limit?: number; filters?: string } }>(
    '/containers/json',
    {
      schema: {
        summary: 'List sandboxes as containers',
        tags: TAGS,
        querystring: Type.Object({
          all: Type.Optional(Type.String({ description: 'With those whose process has ended' })),
          limit: Type.Optional(Type.Integer({ description: 'At most so many, the newest; 0 is all' })),
          filters: Type.Optional(Type.String({ description: `JSON: ${CONTAINER_FILTERS.join(', ')}` })),
        }),
      },
    },
    async (request) => {
      const { all = '0', limit = 0 } = request.query;
      const filters = parseFilters(request.query.filters);
      requireKnown(filters, CONTAINER_FILTERS);
      const withDead = all === '1' || all === 'true' || filters['status'] !== undefined;
      const views = (await engine().listSandboxes())
        .filter((view) => (withDead || view.alive) && passes(view, filters))
        .sort((a, b) => b.sandbox.createdAt.localeCompare(a.sandbox.createdAt));
      const now = Date.now();
      return (limit > 0 ? views.slice(0, limit) : views).map((view) => containerSummary(view, now));
    },
  );

  app.get<{ Params: { id: string } }>(
    '/containers/:id/json',
    {
      schema: {
        summary: 'Show one sandbox as a container',
        tags: TAGS,
        params: Type.Object({ id: Type.String({ description: 'Name, id or unique prefix of the id of a sandbox' }) }),
      },
    },
    async (request) => {
      const { id } = request.params;
      try {
        return containerInspect(await engine().inspectSandbox(id.replace(/^\//, '')), apiVersion(request));
      } catch (cause) {
        if (!(cause instanceof TsnetError && cause.code === 'NOT_FOUND')) throw cause;
        throw new TsnetError('NOT_FOUND', `No such container: ${id}`, { cause });
      }
    },
  );
}
