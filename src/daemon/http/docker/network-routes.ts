/** Docker's routes about networks. */
import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { dockerNetwork } from '../../../engine/docker-network.ts';
import type { Engine } from '../../../engine/engine.ts';
import { TsnetError } from '../../../model/error.ts';
import { JSON_TYPE } from '../error-answer.ts';
import { apiVersion, type DockerParts } from './docker-parts.ts';
import { parseFilters } from './filters.ts';
import { inspectJson, listEntry } from './network-answers.ts';
import {
  CONNECT_BODY,
  connectRequest,
  CREATE_BODY,
  createRequest,
  DISCONNECT_BODY,
  type ConnectBody,
  type CreateBody,
  type DisconnectBody,
} from './network-bodies.ts';

const TAGS = ['docker'];
const ID = Type.Object({ id: Type.String({ description: 'Name, id or unique prefix of the id of a network' }) });
const FILTERS = (keys: string) =>
  Type.Object({ filters: Type.Optional(Type.String({ description: `JSON, {"key":{"value":true}}: ${keys}` })) });

interface OfNetwork {
  Params: { id: string };
}

export function networkRoutes(app: FastifyInstance, parts: DockerParts): void {
  addReading(app, parts);
  addLife(app, parts);
  addConnecting(app, parts);
}

function addReading(app: FastifyInstance, { engine }: DockerParts): void {
  app.get<{ Querystring: { filters?: string } }>(
    '/networks',
    {
      schema: {
        summary: 'List networks',
        tags: TAGS,
        querystring: FILTERS('dangling, driver, id, label, name, scope, type'),
      },
    },
    async (request) => {
      const networks = await engine().listNetworks(parseFilters(request.query.filters));
      return networks.map((network) => listEntry(dockerNetwork(network, [])));
    },
  );

  app.get<OfNetwork & { Querystring: { verbose?: boolean; scope?: string } }>(
    '/networks/:id',
    {
      schema: {
        summary: 'Show one network and who is connected to it',
        tags: TAGS,
        params: ID,
        querystring: Type.Object({
          verbose: Type.Optional(Type.Boolean({ description: 'Without effect on one host' })),
          scope: Type.Optional(Type.String({ description: 'local, global or swarm: no other is found' })),
        }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const network = await engine().inspectNetwork(id);
      const { scope = '' } = request.query;
      if (scope !== '' && network.Scope !== scope) throw new TsnetError('NOT_FOUND', `network ${id} not found`);
      const leases = await engine().listLeases(network.Id);
      return reply.type(JSON_TYPE).send(inspectJson(network, leases, apiVersion(request)));
    },
  );
}

function addLife(app: FastifyInstance, { engine, events }: DockerParts): void {
  app.post<{ Body: CreateBody }>(
    '/networks/create',
    { schema: { summary: 'Create a network', tags: TAGS, body: CREATE_BODY } },
    async (request, reply) => {
      const { id, warnings } = await engine().createNetwork(createRequest(request.body, apiVersion(request)));
      return reply.code(201).send({ Id: id, Warning: warnings.join('; ') });
    },
  );

  app.delete<OfNetwork>(
    '/networks/:id',
    { schema: { summary: 'Remove a network', tags: TAGS, params: ID } },
    async (request, reply) => {
      await engine().removeNetwork({ network: request.params.id });
      return reply.code(204).send();
    },
  );

  let isPruning = false;
  app.post<{ Querystring: { filters?: string } }>(
    '/networks/prune',
    {
      schema: {
        summary: 'Remove all networks that nobody uses',
        tags: TAGS,
        querystring: FILTERS('label, label!, until'),
      },
    },
    async (request) => {
      if (isPruning) throw new TsnetError('CONFLICT', 'a prune operation is already running');
      isPruning = true;
      try {
        const { removed } = await engine().pruneNetworks({ filters: parseFilters(request.query.filters) });
        events.emit({ action: 'prune', networkId: '', attributes: { reclaimed: '0' } });
        return { NetworksDeleted: removed.length > 0 ? removed : null };
      } finally {
        isPruning = false;
      }
    },
  );
}

function addConnecting(app: FastifyInstance, { engine }: DockerParts): void {
  app.post<OfNetwork & { Body: ConnectBody }>(
    '/networks/:id/connect',
    { schema: { summary: 'Connect a container to a network', tags: TAGS, params: ID, body: CONNECT_BODY } },
    async (request, reply) => {
      const asked = connectRequest(request.params.id, request.body, apiVersion(request));
      await naming(engine(), asked, () => engine().connect(asked));
      return reply.code(200).send();
    },
  );

  app.post<OfNetwork & { Body: DisconnectBody }>(
    '/networks/:id/disconnect',
    { schema: { summary: 'Disconnect a container from a network', tags: TAGS, params: ID, body: DISCONNECT_BODY } },
    async (request, reply) => {
      const { Container: container, Force } = request.body;
      const asked = { network: request.params.id, container, ...(Force === true ? { force: true } : {}) };
      await naming(engine(), asked, () => engine().disconnect(asked));
      return reply.code(200).send();
    },
  );
}

/** A plain name that no sandbox has, told as Docker tells it. */
async function naming(
  engine: Engine,
  { network, container }: { readonly network: string; readonly container: string },
  change: () => Promise<unknown>,
): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!(error instanceof TsnetError && error.code === 'NOT_FOUND') || /[/:]/.test(container)) throw error;
    // The network is looked for first.
    await engine.inspectNetwork(network);
    const known = await engine.listSandboxes();
    if (known.some(({ sandbox: { id, name } }) => name === container || id.startsWith(container))) throw error;
    throw new TsnetError('NOT_FOUND', `No such container: ${container}`, { cause: error });
  }
}
