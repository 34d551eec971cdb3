/**
 * Routes in rtnetlink's words: `struct rtmsg` and the RTA_ attributes (include/uapi/linux/rtnetlink.h).
 */
import type { Family } from '../model/records.ts';
import { ROUTE_PROTOCOL } from '../plan/resource.ts';
import { addressBytes, addressFamily, addressText, prefixBytes } from './address-bytes.ts';
import { attribute, blank, readAttributes, u32Attribute, u32Of } from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const HEADER_BYTES = 12;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTN_UNICAST = 1;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTNH_IFINDEX = 4;
const RTNH_F_ONLINK = 4;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
/** Metrics that the kernel gives to IPv6 routes of its own (IP6_RT_PRIO_ADDRCONF) and of programs that name none (IP6_RT_PRIO_USER). */
const IPV6_ON_LINK_METRIC = 256;
const IPV6_METRIC = 1024;

/** A route as the kernel shows it. */
export interface Route {
  readonly family: Family;
  readonly destination: string;
  readonly table: number;
  readonly protocol: number;
  readonly unicast: boolean;
  readonly metric: number;
  /** Index of the link, of the first one of a multipath route; 0 if it has none. */
  readonly link: number;
  readonly via: string | undefined;
  readonly source: string | undefined;
}

/** A route of ours. */
export interface WantedRoute {
  readonly family: Family;
  readonly destination: string;
  readonly table: number;
  readonly link: number;
  readonly via: string | undefined;
  readonly onLink?: true;
  readonly metric?: number;
  readonly source?: string;
}

/** The metric of a route of ours; unless it is named, that of the route which the kernel adds with an address, so that there is one of them. */
export function metricOf(route: Pick<WantedRoute, 'family' | 'via' | 'metric'>): number {
  if (route.metric !== undefined) return route.metric;
  if (route.family === 4) return 0;
  return route.via === undefined ? IPV6_ON_LINK_METRIC : IPV6_METRIC;
}

/** Fails with EEXIST if any route of the same destination, metric and table is there. */
export function addRoute(route: WantedRoute): NetlinkRequest {
  return { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL, payload: routePayload(route, scopeOf(route)) };
}

/** Takes the place of the route with the same destination, metric and table. */
export function replaceRoute(route: WantedRoute): NetlinkRequest {
  return { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, payload: routePayload(route, scopeOf(route)) };
}

/** Deletes the route only if its protocol number says that it is ours. */
export function deleteRoute(route: WantedRoute): NetlinkRequest {
  return { type: RTM_DELROUTE, payload: routePayload(route, RT_SCOPE_NOWHERE) };
}

function scopeOf(route: WantedRoute): number {
  return route.family === 4 && route.via === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

/** Routes of one table, or of all (0). Old kernels ignore `table`; a table that was never used is refused with ENOENT. */
export function dumpRoutes(family: Family, table: number): NetlinkRequest {
  const head = blank(HEADER_BYTES);
  head.writeUInt8(addressFamily(family), 0);
  return { type: RTM_GETROUTE, payload: table === 0 ? head : Buffer.concat([head, u32Attribute(RTA_TABLE, table)]) };
}

/** Routes of ours of the main table that lead into a link. Old kernels answer with all routes. */
export function dumpOwnRoutes(family: Family, link: number): NetlinkRequest {
  const head = blank(HEADER_BYTES);
  head.writeUInt8(addressFamily(family), 0);
  head.writeUInt8(ROUTE_PROTOCOL, 5);
  return {
    type: RTM_GETROUTE,
    payload: Buffer.concat([head, u32Attribute(RTA_TABLE, RT_TABLE_MAIN), u32Attribute(RTA_OIF, link)]),
  };
}

function routePayload(route: WantedRoute, scope: number): Buffer {
  const destination = prefixBytes(route.destination);
  const head = blank(HEADER_BYTES);
  head.writeUInt8(addressFamily(route.family), 0);
  head.writeUInt8(destination.length, 1);
  head.writeUInt8(ROUTE_PROTOCOL, 5);
  head.writeUInt8(scope, 6);
  head.writeUInt8(RTN_UNICAST, 7);
  if (route.onLink === true) head.writeUInt32LE(RTNH_F_ONLINK, 8);
  return Buffer.concat([
    head,
    ...(destination.length === 0 ? [] : [attribute(RTA_DST, destination.bytes)]),
    ...(route.via === undefined ? [] : [attribute(RTA_GATEWAY, addressBytes(route.via))]),
    ...(route.source === undefined ? [] : [attribute(RTA_PREFSRC, addressBytes(route.source))]),
    u32Attribute(RTA_OIF, route.link),
    u32Attribute(RTA_TABLE, route.table),
    ...(metricOf(route) === 0 ? [] : [u32Attribute(RTA_PRIORITY, metricOf(route))]),
  ]);
}

export function parseRoute(payload: Buffer): Route {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  const family: Family = payload.readUInt8(0) === addressFamily(4) ? 4 : 6;
  const destination = attributes.get(RTA_DST) ?? Buffer.alloc(family === 4 ? 4 : 16);
  const gateway = attributes.get(RTA_GATEWAY);
  const source = attributes.get(RTA_PREFSRC);
  return {
    family,
    destination: `${addressText(destination)}/${payload.readUInt8(1)}`,
    table: u32Of(attributes, RTA_TABLE) ?? payload.readUInt8(4),
    protocol: payload.readUInt8(5),
    unicast: payload.readUInt8(7) === RTN_UNICAST,
    metric: u32Of(attributes, RTA_PRIORITY) ?? 0,
    link: u32Of(attributes, RTA_OIF) ?? firstHopLink(attributes.get(RTA_MULTIPATH)),
    via: gateway === undefined ? undefined : addressText(gateway),
    source: source === undefined ? undefined : addressText(source),
  };
}

/** RTA_MULTIPATH begins with a `struct rtnexthop`: length, flags, hops, link index. */
function firstHopLink(multipath: Buffer | undefined): number {
  return multipath === undefined || multipath.length < 8 ? 0 : multipath.readInt32LE(RTNH_IFINDEX);
}
