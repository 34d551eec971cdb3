/**
 * Kernel parameters of a link as rtnetlink tells them with the link: without a visit to /proc/sys, which keeps the files of all
 * namespaces under one name (`conf/eth0`) and finds its way among them the slower the more there are.
 */
import type { Link } from './link-message.ts';
import { nestedIn, readAttributes } from './netlink-attribute.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const IFLA_INET_CONF = 1;
const IFLA_INET6_CONF = 2;

/** Places in IFLA_INET_CONF, from 1 (IPV4_DEVCONF_ in linux/ip.h), and in IFLA_INET6_CONF, from 0 (DEVCONF_ in linux/ipv6.h). */
const PLACES = {
  ipv4: { proxy_arp: 3, arp_notify: 22, route_localnet: 26 },
  ipv6: { accept_ra: 3, disable_ipv6: 26, accept_dad: 27, ndisc_notify: 29 },
} as const satisfies Readonly<Record<string, Readonly<Record<string, number>>>>;

const KEY = /^net\/(ipv4|ipv6)\/conf\/([^/]+)\/(\w+)$/;

/** Name of the link that a parameter is of, where rtnetlink tells it. */
export function linkOfParameter(key: string): string | undefined {
  const [, , link] = KEY.exec(key) ?? [];
  return placeOf(key) === undefined ? undefined : link;
}

/** The parameter's value; undefined where the kernel does not tell it (IPv6 is not on for a link with an MTU below 1280). */
export function linkParameter({ families }: Link, key: string): string | undefined {
  const place = placeOf(key);
  if (families === undefined || place === undefined) return undefined;
  const { family, conf, offset } = place;
  const values = nestedIn(readAttributes(families), family).get(conf);
  return values === undefined || offset + 4 > values.length ? undefined : String(values.readInt32LE(offset));
}

interface ParameterPlace {
  /** AF_ */
  readonly family: number;
  /** IFLA_INET_CONF or IFLA_INET6_CONF */
  readonly conf: number;
  /** Bytes. */
  readonly offset: number;
}

function placeOf(key: string): ParameterPlace | undefined {
  const [, family, , name = ''] = KEY.exec(key) ?? [];
  if (family === 'ipv4') {
    const number = (PLACES.ipv4 as Readonly<Record<string, number>>)[name];
    return number === undefined ? undefined : { family: AF_INET, conf: IFLA_INET_CONF, offset: (number - 1) * 4 };
  }
  const number = (PLACES.ipv6 as Readonly<Record<string, number>>)[name];
  return family === undefined || number === undefined
    ? undefined
    : { family: AF_INET6, conf: IFLA_INET6_CONF, offset: number * 4 };
}
