/**
 * Unicast routes, marked by their protocol number: the default route of a sandbox, the subnets of its networks.
 *
 * A route that is right counts whoever made it (the kernel adds one with every address); a wrong one of ours is replaced;
 * somebody else's in its place is an error, never overwritten.
 */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import { ROUTE_PROTOCOL, type Place, type RouteResource } from '../plan/resource.ts';
import { byPlace, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { observePlaces } from './observe-places.ts';
import {
  addRoute,
  deleteRoute,
  metricOf,
  replaceRoute,
  RT_TABLE_MAIN,
  type Route,
  type WantedRoute,
} from './route-message.ts';
import { readRoutes } from './route-table.ts';
import { connectedKey, type Scene } from './scene.ts';
import { take, tryAll, type Step } from './steps.ts';

export const routeExecutor: Executor<'route'> = {
  async ensure(resources, scene) {
    for (const [place, routes] of byPlace(resources)) await ensureIn(place, routes, scene);
  },

  async remove(resources, scene) {
    const failures: TsnetError[] = [];
    for (const [place, routes] of byPlace(resources)) {
      const socket = await scene.socketIfThere(place);
      if (socket === undefined) continue;
      const indices = await scene.linkIndices(
        place,
        routes.map(({ link }) => link),
      );
      const steps = routes.flatMap((route): Step[] => {
        const index = indices.get(route.link);
        if (index === undefined) return [];
        return [{ attempt: `delete ${words(route, scene)}`, request: deleteRoute(wantedRoute(route, index)) }];
      });
      failures.push(...(await tryAll(socket, steps, ['ESRCH', 'ENODEV', 'ENOENT', 'ENETDOWN'])));
    }
    return failures;
  },

  observe: (resources, scene) =>
    observePlaces(resources, scene, async (place, routes) => {
      const socket = await scene.socket(place);
      const indices = await scene.linkIndices(
        place,
        routes.map(({ link }) => link),
      );
      const observations: Observation[] = [];
      for (const resource of routes) {
        const { family, table = RT_TABLE_MAIN } = resource;
        const key = `routes of table ${table}, IPv${family}`;
        const held = await scene.snapshot(place, key, () => readRoutes(socket, family, table));
        observations.push(compare(resource, indices.get(resource.link), held));
      }
      return observations;
    }),
};

async function ensureIn(place: Place, routes: readonly RouteResource[], scene: Scene): Promise<void> {
  const indices = await scene.linkIndices(
    place,
    routes.map(({ link }) => link),
  );
  for (const resource of routes) {
    const attempt = `add ${words(resource, scene)}`;
    const index = indices.get(resource.link);
    if (index === undefined) throw new TsnetError('KERNEL', `cannot ${attempt}: there is no such link`);
    const route = wantedRoute(resource, index);
    const onRefusal: Step['onRefusal'] = async (refusal) => {
      if (refusal.code === 'EINVAL' && resource.source !== undefined) throw sourceGone(resource, scene);
      if (refusal.code !== 'EEXIST') throw refused(attempt, refusal);
      return settle(resource, route, await scene.socket(place), scene);
    };
    const step = { attempt, request: addRoute(route), onRefusal };
    const connected = isPlain(resource)
      ? scene.connected.get(connectedKey(place, resource.link, resource.destination))
      : undefined;
    if (connected === undefined) scene.post(place, [step]);
    else connected.push(step);
  }
}

/** Whether it is the route that the kernel itself makes with an address of that subnet. */
function isPlain({ via, table, metric, source }: RouteResource): boolean {
  return via === undefined && table === undefined && metric === undefined && source === undefined;
}

/** A route of the same destination, table and metric is there: ours, right, or in the way. */
async function settle(
  resource: RouteResource,
  route: WantedRoute,
  socket: NetlinkSocket,
  scene: Scene,
): Promise<'fine' | 'mended'> {
  const rivals = rivalsOf(route, await readRoutes(socket, route.family, route.table));
  if (rivals.some((rival) => isSame(rival, route))) return 'fine';
  const foreign = rivals.find(({ protocol }) => protocol !== ROUTE_PROTOCOL);
  if (foreign !== undefined) {
    throw new TsnetError(
      'CONFLICT',
      `cannot add ${words(resource, scene)}: a route ${way(foreign)}, not of tsnet, is in its place; delete it first`,
    );
  }
  await take(socket, [{ attempt: `replace ${words(resource, scene)}`, request: replaceRoute(route) }]);
  return 'mended';
}

/** The kernel takes no source address that is not its own. */
function sourceGone(route: RouteResource, scene: Scene): TsnetError {
  return new TsnetError(
    'CONFLICT',
    `cannot add ${words(route, scene)}: ${route.source ?? ''} is no address of ${scene.describe(route.place)} any more; give it back, or make the network anew`,
  );
}

function wantedRoute(route: RouteResource, link: number): WantedRoute {
  const { family, destination, via, table = RT_TABLE_MAIN, metric, source, onLink } = route;
  return {
    family,
    destination,
    via,
    table,
    link,
    ...(metric === undefined ? {} : { metric }),
    ...(source === undefined ? {} : { source }),
    ...(onLink === undefined ? {} : { onLink }),
  };
}

/** Routes that the kernel would not let ours stand beside. */
function rivalsOf(route: WantedRoute, table: readonly Route[]): Route[] {
  return table.filter(({ destination, metric }) => destination === route.destination && metric === metricOf(route));
}

function isSame(held: Route, wanted: WantedRoute): boolean {
  const from = wanted.source === undefined || held.source === wanted.source;
  const weight = wanted.metric === undefined || held.metric === wanted.metric;
  return held.unicast && held.link === wanted.link && held.via === wanted.via && from && weight;
}

function compare(resource: RouteResource, link: number | undefined, table: readonly Route[]): Observation {
  const route = wantedRoute(resource, link ?? 0);
  const sameDestination = table.filter(({ destination }) => destination === route.destination);
  if (link !== undefined && sameDestination.some((held) => isSame(held, route))) return { resource, state: 'present' };
  const instead = sameDestination.find(({ protocol }) => protocol === ROUTE_PROTOCOL) ?? rivalsOf(route, table)[0];
  if (instead === undefined) return { resource, state: 'missing' };
  const whose = instead.protocol === ROUTE_PROTOCOL ? '' : ' (not of tsnet)';
  return { resource, state: 'wrong', detail: `${resource.destination} leads ${way(instead)}${whose}` };
}

function way({ via, link }: Route): string {
  return via === undefined ? `to link ${link}` : `via ${via}`;
}

function words({ destination, via, link, table, place }: RouteResource, scene: Scene): string {
  const hop = via === undefined ? '' : ` via ${via}`;
  const inTable = table === undefined ? '' : ` table ${table}`;
  return `route ${destination}${hop} dev ${link}${inTable} in ${scene.describe(place)}`;
}
