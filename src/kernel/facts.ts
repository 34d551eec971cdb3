/**
 * What is on the host, and in a sandbox before we add to it: read, never changed.
 */
import { readFileSync } from 'node:fs';
import type { Family } from '../model/records.ts';
import type { Facts, HostLink, HostRoute, SandboxFacts } from '../plan/kernel.ts';
import { ROUTE_PROTOCOL, TAG_PREFIX } from '../plan/resource.ts';
import { dumpAddresses, parseAddress } from './address-message.ts';
import { dumpLinks, parseLink, type Link } from './link-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import type { OpenSandbox } from './open-sandboxes.ts';
import { RT_TABLE_LOCAL, RT_TABLE_MAIN, type Route } from './route-message.ts';
import { ALL_TABLES, readRoutes } from './route-table.ts';

const LOOPBACK = 'lo';
const FAMILIES: readonly Family[] = [4, 6];
/** Every link has these: fe80::/10 and multicast. They belong to nobody. */
const IPV6_NOISE = /^(fe[89ab]|ff)/;

export async function readFacts(host: NetlinkSocket): Promise<Facts> {
  const links = await readLinks(host);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const addresses = new Map<number, string[]>();
  const routes: HostRoute[] = [];
  for (const family of FAMILIES) {
    for (const entry of (await host.dump(dumpAddresses(family, 0))).map(parseAddress)) {
      if (entry.family !== family) continue;
      const held = addresses.get(entry.link) ?? [];
      held.push(`${entry.address}/${entry.length}`);
      addresses.set(entry.link, held);
    }
    const table = await readRoutes(host, family, ALL_TABLES);
    routes.push(
      ...table
        .filter(isReachable)
        .map(({ destination, link }) => ({ destination, link: names.get(link) ?? String(link) })),
    );
  }
  return { links: links.map((link) => hostLink(link, addresses.get(link.index) ?? [], names)), routes };
}

function hostLink(link: Link, addresses: readonly string[], names: ReadonlyMap<number, string>): HostLink {
  const master = link.master === undefined ? undefined : names.get(link.master);
  return {
    name: link.name,
    mtu: link.mtu,
    up: link.up,
    addresses,
    ...(link.kind === undefined ? {} : { kind: link.kind }),
    ...(link.alias === undefined ? {} : { alias: link.alias }),
    ...(master === undefined ? {} : { master }),
    ...(link.medium === undefined ? {} : { medium: link.medium }),
  };
}

/** Whether a route leads to a network that a new one must not overlap. */
function isReachable({ unicast, table, destination }: Route): boolean {
  return unicast && table !== RT_TABLE_LOCAL && !isDefault(destination) && !IPV6_NOISE.test(destination);
}

function isDefault(destination: string): boolean {
  return destination.endsWith('/0');
}

export async function readLinks(socket: NetlinkSocket): Promise<Link[]> {
  return (await socket.dump(dumpLinks())).map(parseLink);
}

/** What a namespace has before we add to it: most have their loopback and nothing else, which a glance tells. */
export async function readSandboxFacts(sandbox: OpenSandbox): Promise<SandboxFacts> {
  if (sandbox.inside(hasOnlyLoopback)) return { links: [LOOPBACK], foreignDefaultRoutes: [] };
  const socket = sandbox.socket();
  const links = await readLinks(socket);
  const foreignDefaultRoutes: Family[] = [];
  for (const family of FAMILIES) {
    const table = await readRoutes(socket, family, RT_TABLE_MAIN);
    const foreign = table.some(
      ({ destination, unicast, protocol }) => unicast && isDefault(destination) && protocol !== ROUTE_PROTOCOL,
    );
    if (foreign) foreignDefaultRoutes.push(family);
  }
  return { links: links.map(({ name }) => name), foreignDefaultRoutes };
}

/** Of this thread's namespace; two lines of headings, then a link a line: "    lo: 1184 …". */
function hasOnlyLoopback(): boolean {
  const [, , first = '', ...rest] = readFileSync('/proc/thread-self/net/dev', 'latin1').trimEnd().split('\n');
  return rest.length === 0 && first.trimStart().startsWith(`${LOOPBACK}:`);
}

/** Links whose alias says that they are ours. */
export async function readTaggedLinks(host: NetlinkSocket): Promise<(Link & { readonly alias: string })[]> {
  return (await readLinks(host)).filter(
    (link): link is Link & { readonly alias: string } => link.alias?.startsWith(TAG_PREFIX) === true,
  );
}
