/**
 * Reading a routing table.
 */
import type { Family } from '../model/records.ts';
import { errorCode } from './kernel-refusal.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { dumpRoutes, parseRoute, type Route } from './route-message.ts';

/** Every table of the family. */
export const ALL_TABLES = 0;

/** The routes of one table, or of ALL_TABLES. A table that nobody ever used is empty. */
export async function readRoutes(socket: NetlinkSocket, family: Family, table: number): Promise<Route[]> {
  try {
    const routes = (await socket.dump(dumpRoutes(family, table))).map(parseRoute);
    // A kernel without IPv6 answers with what it has; one without filtered dumps, with all tables.
    return routes.filter((route) => route.family === family && (table === ALL_TABLES || route.table === table));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
