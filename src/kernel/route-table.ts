/**
 * Reading a routing table.
 */
import type { Family } from '../model/records.ts';
import { errorCode } from './kernel-refusal.ts';
import { ROUTE_PROTOCOL } from '../plan/resource.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { dumpOwnRoutes, dumpRoutes, parseRoute, RT_TABLE_MAIN, type Route } from './route-message.ts';

/** Every table of the family. */
export const ALL_TABLES = 0;

/** The routes of one table, or of ALL_TABLES. A table that nobody ever used is empty. */
export async function readRoutes(socket: NetlinkSocket, family: Family, table: number): Promise<Route[]> {
  const routes = await dumped(socket, dumpRoutes(family, table));
  // A kernel without IPv6 answers with what it has; one without filtered dumps, with all tables.
  return routes.filter((route) => route.family === family && (table === ALL_TABLES || route.table === table));
}

/** Routes of ours into a link. */
export async function readOwnRoutes(socket: NetlinkSocket, family: Family, link: number): Promise<Route[]> {
  const routes = await dumped(socket, dumpOwnRoutes(family, link));
  return routes.filter(
    (route) => route.family === family && route.link === link && isOurs(route) && route.table === RT_TABLE_MAIN,
  );
}

function isOurs({ protocol, unicast }: Route): boolean {
  return protocol === ROUTE_PROTOCOL && unicast;
}

async function dumped(socket: NetlinkSocket, request: NetlinkRequest): Promise<Route[]> {
  try {
    return (await socket.dump(request)).map(parseRoute);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
