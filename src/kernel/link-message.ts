/**
 * Links in rtnetlink's words: `struct ifinfomsg` and the IFLA_ attributes (include/uapi/linux/if_link.h).
 */
import { formatMac, macBytes } from '../model/mac.ts';
import {
  attribute,
  blank,
  firstAttribute,
  nested,
  nestedIn,
  readAttributes,
  textAttribute,
  textOf,
  u32Attribute,
  u32Of,
  u8Attribute,
  u8Of,
} from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const IFF_UP = 1;
const ARPHRD_ETHER = 1;
const ARPHRD_LOOPBACK = 772;
const HEADER_BYTES = 16;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BR_MCAST_SNOOPING = 23;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const VETH_INFO_PEER = 1;
const AF_INET6 = 10;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const RTEXT_FILTER_SKIP_STATS = 8;

/** A link as the kernel shows it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND; absent for hardware and loopback. */
  readonly kind: string | undefined;
  /** Absent for Ethernet. */
  readonly medium: 'loopback' | 'other' | undefined;
  readonly up: boolean;
  readonly mtu: number;
  readonly mac: string;
  readonly alias: string | undefined;
  /** Index of the bridge that it is a port of. */
  readonly master: number | undefined;
  /** IFLA_LINK: of a veth, the index of its other end, in that end's namespace. */
  readonly lower: number | undefined;
  readonly hairpin: boolean;
  readonly isolated: boolean;
  /** IFLA_INFO_DATA: what its kind has to say, as attributes. */
  readonly data: Buffer | undefined;
  /** IFLA_AF_SPEC: what the protocol families have to say, as attributes. */
  readonly families: Buffer | undefined;
}

/** What a link is made with, or set to. */
export interface LinkSettings {
  readonly name?: string;
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  /** Empty: none. */
  readonly alias?: string;
  readonly master?: number;
}

export function getLink(name: string): NetlinkRequest {
  return {
    type: RTM_GETLINK,
    payload: Buffer.concat([header(0, false), textAttribute(IFLA_IFNAME, name), withoutStatistics()]),
  };
}

export function dumpLinks(): NetlinkRequest {
  return { type: RTM_GETLINK, payload: Buffer.concat([header(0, false), withoutStatistics()]) };
}

/** Counters are most of a link's bytes, and nobody here reads them. */
function withoutStatistics(): Buffer {
  return u32Attribute(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

export function createBridge(settings: LinkSettings): NetlinkRequest {
  return createLink(settings, nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, 'bridge')));
}

/** Has a bridge flood multicast to all ports, whatever they asked for. */
export function withoutMulticastSnooping(index: number): NetlinkRequest {
  const info = nested(
    IFLA_LINKINFO,
    textAttribute(IFLA_INFO_KIND, 'bridge'),
    nested(IFLA_INFO_DATA, u8Attribute(IFLA_BR_MCAST_SNOOPING, 0)),
  );
  return { type: RTM_NEWLINK, payload: Buffer.concat([header(index, false), info]) };
}

/** Whether a bridge does as `withoutMulticastSnooping` asks. */
export function floodsMulticast({ data }: Link): boolean {
  return data !== undefined && u8Of(readAttributes(data), IFLA_BR_MCAST_SNOOPING) === 0;
}

/**
 * A veth pair in one message: the peer is born inside the namespace behind `netns`, an open file; absent: beside the host's end. The
 * kernel brings no peer up here.
 */
export function createVeth(host: LinkSettings, peer: LinkSettings, netns: number | undefined): NetlinkRequest {
  const place = netns === undefined ? [] : [u32Attribute(IFLA_NET_NS_FD, netns)];
  const born = Buffer.concat([header(0, false), ...settingAttributes(peer), ...place]);
  const pair = nested(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, born));
  return createLink(host, nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, 'veth'), pair));
}

/** What a link is, beside its settings. */
export interface LinkNature {
  /** IFLA_INFO_KIND */
  readonly kind: string;
  /** Attributes of IFLA_INFO_DATA. */
  readonly data: readonly Buffer[];
  /** Index of the link below it, in the namespace of the socket. */
  readonly lower?: number;
  /** Open file of the namespace that it is born in; absent: the socket's. */
  readonly netns?: number;
}

/** A link of any kind that has no second end. */
export function createUpperLink(settings: LinkSettings, { kind, data, lower, netns }: LinkNature): NetlinkRequest {
  const info = nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, ...data));
  return createLink(
    settings,
    Buffer.concat([
      ...(lower === undefined ? [] : [u32Attribute(IFLA_LINK, lower)]),
      ...(netns === undefined ? [] : [u32Attribute(IFLA_NET_NS_FD, netns)]),
      info,
    ]),
  );
}

function createLink(settings: LinkSettings, nature: Buffer): NetlinkRequest {
  const payload = Buffer.concat([header(0, settings.up === true), ...settingAttributes(settings), nature]);
  return { type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, payload };
}

/** Changes a link, by index or by name. */
export function setLink(link: number | string, settings: LinkSettings): NetlinkRequest {
  const [index, named] = typeof link === 'number' ? [link, {}] : [0, { name: link }];
  const attributes = settingAttributes({ ...settings, ...named });
  return { type: RTM_NEWLINK, payload: Buffer.concat([header(index, settings.up === true), ...attributes]) };
}

/** Moves a link into the namespace behind `netns`, an open file, under a new name. It arrives down and without addresses. */
export function moveLink(index: number, netns: number, name: string): NetlinkRequest {
  const attributes = [u32Attribute(IFLA_NET_NS_FD, netns), textAttribute(IFLA_IFNAME, name)];
  return { type: RTM_NEWLINK, payload: Buffer.concat([header(index, false), ...attributes]) };
}

/**
 * No IPv6 link-local address for a link, and so no duplicate detection and no multicast membership of it. A bridge port needs
 * none, and a thousand of them would fill the bridge with each other's reports. To be sent before the link comes up;
 * EAFNOSUPPORT where the kernel has no IPv6.
 */
export function withoutLinkLocal(index: number): NetlinkRequest {
  const mode = u8Attribute(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  return {
    type: RTM_NEWLINK,
    payload: Buffer.concat([header(index, false), nested(IFLA_AF_SPEC, nested(AF_INET6, mode))]),
  };
}

/** Changes a bridge port; the link must be one when the kernel gets here. */
export function setBridgePort(
  index: number,
  port: { readonly hairpin: boolean; readonly isolated: boolean },
): NetlinkRequest {
  const portInfo = nested(
    IFLA_INFO_SLAVE_DATA,
    u8Attribute(IFLA_BRPORT_MODE, Number(port.hairpin)),
    u8Attribute(IFLA_BRPORT_ISOLATED, Number(port.isolated)),
  );
  const linkInfo = nested(IFLA_LINKINFO, textAttribute(IFLA_INFO_SLAVE_KIND, 'bridge'), portInfo);
  return { type: RTM_NEWLINK, payload: Buffer.concat([header(index, false), linkInfo]) };
}

/** By index, so that a link that took the name meanwhile is safe. */
export function deleteLink(index: number): NetlinkRequest {
  return { type: RTM_DELLINK, payload: header(index, false) };
}

function header(index: number, up: boolean): Buffer {
  const bytes = blank(HEADER_BYTES);
  bytes.writeInt32LE(index, 4);
  if (up) {
    bytes.writeUInt32LE(IFF_UP, 8);
    bytes.writeUInt32LE(IFF_UP, 12);
  }
  return bytes;
}

function settingAttributes(settings: LinkSettings): Buffer[] {
  const attributes: Buffer[] = [];
  if (settings.name !== undefined) attributes.push(textAttribute(IFLA_IFNAME, settings.name));
  if (settings.mac !== undefined) attributes.push(attribute(IFLA_ADDRESS, Buffer.from(macBytes(settings.mac))));
  if (settings.mtu !== undefined) attributes.push(u32Attribute(IFLA_MTU, settings.mtu));
  if (settings.master !== undefined) attributes.push(u32Attribute(IFLA_MASTER, settings.master));
  if (settings.alias === '') attributes.push(attribute(IFLA_IFALIAS, Buffer.alloc(0)));
  else if (settings.alias !== undefined) attributes.push(textAttribute(IFLA_IFALIAS, settings.alias));
  return attributes;
}

function mediumOf(type: number): Link['medium'] {
  if (type === ARPHRD_ETHER) return undefined;
  return type === ARPHRD_LOOPBACK ? 'loopback' : 'other';
}

/** Index of a link, and of the other end of a veth, without a look at the rest. */
export function parseLinkNumbers(payload: Buffer): Pick<Link, 'index' | 'lower'> {
  const lower = firstAttribute(payload.subarray(HEADER_BYTES), IFLA_LINK);
  return { index: payload.readInt32LE(4), lower: lower?.readUInt32LE(0) };
}

export function parseLink(payload: Buffer): Link {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  const linkInfo = nestedIn(attributes, IFLA_LINKINFO);
  const port = nestedIn(linkInfo, IFLA_INFO_SLAVE_DATA);
  const isPort = textOf(linkInfo, IFLA_INFO_SLAVE_KIND) === 'bridge';
  return {
    index: payload.readInt32LE(4),
    name: textOf(attributes, IFLA_IFNAME) ?? '',
    kind: textOf(linkInfo, IFLA_INFO_KIND),
    medium: mediumOf(payload.readUInt16LE(2)),
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    mtu: u32Of(attributes, IFLA_MTU) ?? 0,
    mac: formatMac(attributes.get(IFLA_ADDRESS) ?? Buffer.alloc(0)),
    alias: textOf(attributes, IFLA_IFALIAS),
    master: u32Of(attributes, IFLA_MASTER),
    lower: u32Of(attributes, IFLA_LINK),
    hairpin: isPort && u8Of(port, IFLA_BRPORT_MODE) === 1,
    isolated: isPort && u8Of(port, IFLA_BRPORT_ISOLATED) === 1,
    data: linkInfo.get(IFLA_INFO_DATA),
    families: attributes.get(IFLA_AF_SPEC),
  };
}
