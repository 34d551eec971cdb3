/**
 * Entries of VXLAN devices, and routes into them, that no plan names: a container that has moved or ended while nobody told us, or what somebody added by
 * hand. Only entries for good count; the kernel makes others itself.
 */
import type { Orphan } from '../plan/kernel.ts';
import type { LinkResource } from '../plan/resource.ts';
import { deleteFdb, dumpFdb, parseFdb } from './fdb-message.ts';
import { getLink } from './link-message.ts';
import { deleteNeighbour, dumpNeighbours, parseNeighbour } from './neighbour-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { deleteRoute, RT_TABLE_MAIN } from './route-message.ts';
import { readOwnRoutes } from './route-table.ts';
import { linkIn } from './scene.ts';
import { tryAll, type Step } from './steps.ts';

/**
 * Beyond this many neighbours the forwarding table is not read: it is as large, and the kernel's time for a dump of it grows with the
 * square (100,000: a second, 300,000: ten). An entry that no neighbour leads to is used by nobody.
 */
const MOST_READ = 50_000;

type EntryOrphan = Extract<Orphan, { readonly kind: 'fdb' | 'neighbour' | 'route' }>;

/** Of the links named in `closed`, whose entries the plan has all. */
export async function entryOrphans(
  host: NetlinkSocket,
  plan: readonly LinkResource[],
  closed: ReadonlySet<string>,
): Promise<EntryOrphan[]> {
  if (closed.size === 0) return [];
  const wanted = new Set(
    plan.flatMap((resource) => {
      if (resource.kind === 'fdb') return [macKey(resource.link, resource.mac)];
      if (resource.kind === 'route' && resource.place === 'host') return [`${resource.link} ${resource.destination}`];
      return resource.kind === 'neighbour' && resource.place === 'host' ? [`${resource.link} ${resource.address}`] : [];
    }),
  );
  const found: EntryOrphan[] = [];
  for (const [link, index] of await indicesOf(host, closed)) {
    for (const family of [4, 6] as const) {
      for (const { destination, via } of await readOwnRoutes(host, family, index)) {
        if (wanted.has(`${link} ${destination}`)) continue;
        found.push({ kind: 'route', link, family, destination, ...(via === undefined ? {} : { via }) });
      }
    }
    // Answers first: nobody is to be told of a MAC whose way is being taken away.
    let neighbours = 0;
    for (const family of [4, 6] as const) {
      const held = await host.dump(dumpNeighbours(family, index));
      neighbours += held.length;
      for (const { address, mac, ...entry } of held.map(parseNeighbour)) {
        if (entry.link !== index || !entry.permanent || wanted.has(`${link} ${address}`)) continue;
        found.push({ kind: 'neighbour', link, address, mac });
      }
    }
    if (neighbours > MOST_READ) continue;
    for (const entry of (await host.dump(dumpFdb(index))).map(parseFdb)) {
      if (entry?.link !== index || !entry.permanent || wanted.has(macKey(link, entry.mac))) continue;
      found.push({ kind: 'fdb', link, mac: entry.mac, vtep: entry.vtep });
    }
  }
  return found;
}

/** Removes the entries among the orphans. */
export async function sweepEntries(host: NetlinkSocket, orphans: readonly Orphan[]): Promise<void> {
  const entries = orphans.filter(
    (orphan): orphan is EntryOrphan => orphan.kind === 'fdb' || orphan.kind === 'neighbour' || orphan.kind === 'route',
  );
  if (entries.length === 0) return;
  const indices = await indicesOf(host, new Set(entries.map(({ link }) => link)));
  const steps = entries.flatMap((entry): Step[] => {
    const index = indices.get(entry.link);
    if (index === undefined) return [];
    if (entry.kind === 'route') {
      const { family, destination, via } = entry;
      const request = deleteRoute({ family, destination, table: RT_TABLE_MAIN, link: index, via });
      return [{ attempt: `delete orphaned route ${destination}`, request }];
    }
    return entry.kind === 'fdb'
      ? [{ attempt: `delete orphaned entry ${entry.mac}`, request: deleteFdb(index, entry.mac, entry.vtep) }]
      : [{ attempt: `delete orphaned neighbour ${entry.address}`, request: deleteNeighbour(index, entry.address) }];
  });
  const failures = await tryAll(host, steps, ['ENOENT', 'ENODEV', 'ESRCH']);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
}

function macKey(link: string, mac: string): string {
  return `${link} at ${mac.toLowerCase()}`;
}

async function indicesOf(host: NetlinkSocket, names: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const links = [...names];
  const outcomes = await host.batch(links.map(getLink));
  return new Map(
    links.flatMap((name, at) => {
      const link = linkIn(outcomes[at], `look for link ${name}`);
      return link === undefined ? [] : [[name, link.index] as const];
    }),
  );
}
