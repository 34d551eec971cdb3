/** What Docker's routes are handed. */
import type { FastifyRequest } from 'fastify';
import type { Engine } from '../../../engine/engine.ts';
import type { Events } from '../../events.ts';
import type { Log } from '../../log.ts';
import { versionInPath } from './docker-path.ts';

export interface DockerParts {
  /** Asked at each request: a reload exchanges it. */
  readonly engine: () => Engine;
  readonly events: Events;
  readonly log: Log;
  /** Of tsnet. */
  readonly version: string;
}

/** The version of Docker's API that the client of a request speaks. */
export function apiVersion(request: FastifyRequest): string {
  return versionInPath(request.originalUrl);
}
