/**
 * The link by which the host reaches the world.
 */
import { readFileSync } from 'node:fs';
import type { Family } from '../model/records.ts';

/** RTF_REJECT (linux/route.h): the route says that there is no way. */
const REJECT = 0x200;

interface DefaultRoute {
  readonly link: string;
  readonly metric: number;
}

/** The link of the host's default route; with several, the preferred one. Undefined where there is none. */
export function uplink(family: Family): string | undefined {
  try {
    return uplinkIn(family, readFileSync(family === 4 ? '/proc/net/route' : '/proc/net/ipv6_route', 'latin1'));
  } catch {
    return undefined;
  }
}

/** The same from the text of /proc/net/route or ipv6_route. */
export function uplinkIn(family: Family, text: string): string | undefined {
  const routes = family === 4 ? ipv4Defaults(text) : ipv6Defaults(text);
  return routes.toSorted((a, b) => a.metric - b.metric)[0]?.link;
}

/** Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask …; numbers in hex but for the metric. */
function ipv4Defaults(text: string): DefaultRoute[] {
  return [...text.matchAll(/^(\S+)\t00000000\t[0-9A-F]{8}\t([0-9A-F]+)\t\d+\t\d+\t(\d+)\t00000000\t/gm)].flatMap(
    ([, link = '', flags = '', metric]) => (parseInt(flags, 16) & REJECT ? [] : [{ link, metric: Number(metric) }]),
  );
}

/** Columns: destination length source length next-hop metric references use flags link, in hex. */
function ipv6Defaults(text: string): DefaultRoute[] {
  return [...text.matchAll(/^0{32} 00 0{32} 00 \S{32} (\S{8}) \S{8} \S{8} (\S{8}) +(\S+)$/gm)].flatMap(
    ([, metric = '', flags = '', link = '']) =>
      parseInt(flags, 16) & REJECT ? [] : [{ link, metric: parseInt(metric, 16) }],
  );
}
