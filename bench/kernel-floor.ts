/**
 * The least that a change can cost: the netlink messages that lead to the same state of the kernel, pipelined, with nothing
 * decided, recorded or checked. What a published port adds to it: firewall-floor.ts.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { addAddress } from '../src/kernel/address-message.ts';
import { prefixBytes } from '../src/kernel/address-bytes.ts';
import {
  createBridge,
  createVeth,
  deleteLink,
  getLink,
  parseLink,
  setBridgePort,
  setLink,
  withoutLinkLocal,
} from '../src/kernel/link-message.ts';
import { inNetns } from '../src/kernel/netns.ts';
import { NetlinkSocket, type Outcome } from '../src/kernel/netlink-socket.ts';
import { addRoute, RT_TABLE_MAIN } from '../src/kernel/route-message.ts';

export interface Floor {
  readonly host: NetlinkSocket;
  /** Index of the bridge. */
  readonly bridge: number;
}

export function linkOf(outcome: Outcome | undefined): ReturnType<typeof parseLink> {
  const payload = outcome?.replies[0];
  if (payload === undefined) throw new Error(`no link: ${String(outcome?.refusal)}`);
  return parseLink(payload);
}

export function check(outcomes: readonly Outcome[]): void {
  for (const { refusal } of outcomes) if (refusal !== undefined) throw refusal;
}

/** Attaches to an existing bridge. */
export async function openFloor(bridge: string): Promise<Floor> {
  const host = new NetlinkSocket('route');
  const [looked] = await host.batch([getLink(bridge)]);
  return { host, bridge: linkOf(looked).index };
}

export interface FloorEndpoint {
  /** Path of the namespace. */
  readonly netns: string;
  /** Name of the host's end. */
  readonly host: string;
  readonly mac: string;
  /** "10.10.99.99/16" */
  readonly address: string;
  readonly gateway: string;
}

/** Endpoint number `index` of 10.X.0.0/16, from the top so that it is in nobody's way: 10.X.255.254 and down. */
export function floorEndpoint(netns: string, subnet: `10.${number}`, index = 0): FloorEndpoint {
  const [third, fourth] = [255 - Math.floor(index / 250), 254 - (index % 250)];
  const byte = (value: number): string => value.toString(16).padStart(2, '0');
  return {
    netns,
    host: `bare${index}`,
    mac: `02:42:0a:ff:${byte(third)}:${byte(fourth)}`,
    address: `${subnet}.${third}.${fourth}/16`,
    gateway: `${subnet}.0.1`,
  };
}

export async function attachBare({ host, bridge }: Floor, endpoint: FloorEndpoint): Promise<void> {
  const fd = openSync(endpoint.netns, 'r');
  let inside: NetlinkSocket | undefined;
  try {
    const made = await host.batch([
      createVeth({ name: endpoint.host, mtu: 1500 }, { name: 'eth0', mtu: 1500, mac: endpoint.mac }, fd),
      getLink(endpoint.host),
    ]);
    const link = linkOf(made[1]);
    check(
      await host.batch([
        withoutLinkLocal(link.index),
        setLink(link.index, { up: true, alias: 'floor', master: bridge }),
        setBridgePort(link.index, { hairpin: true, isolated: false }),
      ]),
    );
    inside = inNetns(fd, () => {
      writeFileSync('/proc/sys/net/ipv6/conf/eth0/disable_ipv6', '1');
      return new NetlinkSocket('route');
    });
    const peer = link.lower ?? 0;
    check(
      await inside.batch([
        setLink('lo', { up: true }),
        setLink(peer, { up: true }),
        addAddress(peer, prefixBytes(endpoint.address)),
        addRoute({ family: 4, destination: '0.0.0.0/0', table: RT_TABLE_MAIN, link: peer, via: endpoint.gateway }),
      ]),
    );
  } finally {
    await inside?.close();
    closeSync(fd);
  }
}

/** Deletes a link of the host by name. */
export async function deleteBare(host: NetlinkSocket, name: string): Promise<void> {
  const [looked] = await host.batch([getLink(name)]);
  check(await host.batch([deleteLink(linkOf(looked).index)]));
}

export interface FloorBridge {
  readonly name: string;
  readonly mac: string;
  /** "10.99.0.1/24" */
  readonly address: string;
}

export async function createBridgeBare(host: NetlinkSocket, bridge: FloorBridge): Promise<void> {
  const made = await host.batch([
    createBridge({ name: bridge.name, mac: bridge.mac, mtu: 1500, alias: 'floor', up: true }),
    getLink(bridge.name),
  ]);
  const { index } = linkOf(made[1]);
  writeFileSync(`/proc/sys/net/ipv6/conf/${bridge.name}/accept_ra`, '0');
  writeFileSync(`/proc/sys/net/ipv4/conf/${bridge.name}/route_localnet`, '1');
  check(await host.batch([addAddress(index, prefixBytes(bridge.address))]));
}
