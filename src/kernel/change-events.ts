/**
 * What the kernel tells of changes: rtnetlink of the host and of all sandboxes, nftables' generations, and, since legacy
 * iptables tells nothing, the size of its tables.
 *
 * Nothing is read back here, and nothing is judged: whoever listens compares what may have changed with the plans. Events of
 * links that are not ours cost a look into a map.
 */
import type { ChangeHandlers, HostChange, Watch } from '../plan/watch.ts';
import { TAG_PREFIX } from '../plan/resource.ts';
import { readAttributes, textOf, u32Of } from './netlink-attribute.ts';
import { readLinks } from './facts.ts';
import { openRouteSocket } from './host-sockets.ts';
import { watchLegacyTables } from './legacy-tables.ts';
import { openMulticastSocket } from './multicast-socket.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

const HEADER_BYTES = 16;

/** rtnetlink.h: LINK, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, IPV6_RULE, IPV4_NETCONF, IPV6_NETCONF, NSID. */
const ROUTE_GROUPS = [1, 5, 7, 8, 9, 11, 19, 24, 25, 28] as const;
const NFNLGRP_NFTABLES = 7;
/** NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN */
const NEWGEN = (10 << 8) | 15;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;
const NFGENMSG_BYTES = 4;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_NEWNETCONF = 80;
const RTM_NEWNSID = 88;
const RTM_DELNSID = 89;
const IFLA_IFNAME = 3;
const IFLA_IFALIAS = 20;
const RTA_OIF = 4;
const NETNSA_NSID = 1;
const RTGENMSG_BYTES = 4;
const IFINFOMSG_BYTES = 16;
const RTMSG_BYTES = 12;

interface KnownLink {
  readonly name: string;
  readonly tag: string | undefined;
}

/** In the namespace of the calling thread. Throws TsnetError. */
export async function watchChanges(handlers: ChangeHandlers): Promise<Watch> {
  const links = new Map<number, KnownLink>();
  const host = openRouteSocket();
  const onLost = (): void => {
    // Links that came and went unseen; a name that is out of date until then means a look too many or too few.
    learn(host, links).catch(() => undefined);
    handlers.onLost();
  };
  const route = openMulticastSocket({
    protocol: 'route',
    groups: ROUTE_GROUPS,
    onMessage: (message, nsid) => {
      const type = message.readUInt16LE(4);
      const payload = message.subarray(HEADER_BYTES);
      if (nsid !== undefined) handlers.onNamespace(nsid);
      else if (type === RTM_DELNSID) goneNamespace(payload, handlers);
      else if (type !== RTM_NEWNSID) {
        const change = hostChange(type, payload, links);
        if (change !== undefined) handlers.onHost(change);
      }
    },
    onLost,
  });
  let firewall: Watch | undefined;
  try {
    firewall = openMulticastSocket({
      protocol: 'netfilter',
      groups: [NFNLGRP_NFTABLES],
      onlyType: NEWGEN,
      onMessage: (message, nsid) => {
        // Sandboxes have firewalls of their own, which are nobody's business here.
        if (nsid !== undefined) return;
        const { pid, by } = generationOf(message.subarray(HEADER_BYTES));
        if (pid !== process.pid) handlers.onFirewall(by);
      },
      onLost,
    });
    await learn(host, links);
  } catch (error) {
    route.close();
    firewall?.close();
    await host.close();
    throw error;
  }
  const legacy = watchLegacyTables(() => {
    handlers.onFirewall(undefined);
  });
  return {
    close: () => {
      route.close();
      firewall.close();
      legacy.close();
      void host.close();
    },
  };
}

/** The links that were there before the first event. What an event told since is newer. */
async function learn(host: NetlinkSocket, links: Map<number, KnownLink>): Promise<void> {
  for (const { index, name, alias } of await readLinks(host)) {
    if (!links.has(index)) links.set(index, { name, tag: alias?.startsWith(TAG_PREFIX) === true ? alias : undefined });
  }
}

function generationOf(payload: Buffer): { readonly pid: number | undefined; readonly by: string | undefined } {
  const attributes = readAttributes(payload.subarray(NFGENMSG_BYTES));
  // nf_tables numbers are big-endian.
  const pid = attributes.get(NFTA_GEN_PROC_PID)?.readUInt32BE(0);
  const name = textOf(attributes, NFTA_GEN_PROC_NAME);
  return { pid, by: name === undefined || pid === undefined ? undefined : `${name} (pid ${pid})` };
}

function goneNamespace(payload: Buffer, handlers: ChangeHandlers): void {
  const nsid = readAttributes(payload.subarray(RTGENMSG_BYTES)).get(NETNSA_NSID)?.readInt32LE(0);
  if (nsid !== undefined && nsid >= 0) handlers.onNamespaceGone(nsid);
}

function hostChange(type: number, payload: Buffer, links: Map<number, KnownLink>): HostChange | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const index = payload.readInt32LE(4);
      const attributes = readAttributes(payload.subarray(IFINFOMSG_BYTES));
      const known = links.get(index);
      const alias = textOf(attributes, IFLA_IFALIAS);
      const link: KnownLink = {
        name: textOf(attributes, IFLA_IFNAME) ?? known?.name ?? '',
        tag: alias?.startsWith(TAG_PREFIX) === true ? alias : known?.tag,
      };
      // A bridge tells that a port left it with a message of its own, which looks like a deletion (ifi_family AF_BRIDGE).
      const gone = type === RTM_DELLINK && payload.readUInt8(0) === 0;
      if (gone) links.delete(index);
      else links.set(index, link);
      return { about: 'link', ...describe(link), ...(gone ? { gone } : {}) };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return { about: 'address', ...describe(links.get(payload.readUInt32LE(4))) };
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const link = u32Of(readAttributes(payload.subarray(RTMSG_BYTES)), RTA_OIF);
      return { about: 'route', ...describe(link === undefined ? undefined : links.get(link)) };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return { about: 'rule' };
    case RTM_NEWNETCONF:
      return { about: 'parameter' };
    default:
      return undefined;
  }
}

function describe(link: KnownLink | undefined): Pick<HostChange, 'link' | 'tag'> {
  if (link === undefined) return {};
  return { link: link.name, ...(link.tag === undefined ? {} : { tag: link.tag }) };
}
