/** The engine of a daemon: the same interface, asked over its socket. It loads no netlink, no LMDB and no libc. */
import {
  API_PREFIX,
  EMPTY_FIELD,
  pathFields,
  ROUTES,
  type EngineMethod,
  type Fields,
  type Route,
} from '../api/routes.ts';
import type { Engine } from '../engine/engine.ts';
import { askSocket, type Question } from './ask-socket.ts';

export function remoteEngine(socket: string): Engine {
  const methods = Object.entries(ROUTES).map(([method, route]) => [
    method,
    (...args: unknown[]) => askSocket(socket, questionOf(route, args)),
  ]);
  const engine = Object.fromEntries(methods) as Pick<Engine, EngineMethod>;
  return {
    ...engine,
    // The daemon lives on when this process dies half-way.
    createSandbox: (request) => engine.createSandbox({ ...request, creator: process.pid }),
    close: () => Promise.resolve(),
  };
}

function questionOf({ verb, path, fields: fieldsOf }: Route, args: readonly unknown[]): Question {
  const fields = (fieldsOf as (...given: readonly unknown[]) => Fields)(...args);
  const inPath = pathFields(path);
  const rest = Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => value !== undefined && !inPath.includes(name)),
  );
  const target =
    API_PREFIX +
    path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent((fields[name] as string) || EMPTY_FIELD));
  if (verb === 'POST') return { verb, path: target, body: rest };
  const query = new URLSearchParams(rest as Record<string, string>).toString();
  return { verb, path: query === '' ? target : `${target}?${query}` };
}
