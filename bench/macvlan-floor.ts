/** The least that a macvlan attach can cost: the messages and parameters that lead to the same state, pipelined. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { prefixBytes } from '../src/kernel/address-bytes.ts';
import { addAddress } from '../src/kernel/address-message.ts';
import { createUpperLink, deleteLink, getLink, setLink } from '../src/kernel/link-message.ts';
import { u32Attribute } from '../src/kernel/netlink-attribute.ts';
import { NetlinkSocket } from '../src/kernel/netlink-socket.ts';
import { inNetns } from '../src/kernel/netns.ts';
import { addRoute, RT_TABLE_MAIN } from '../src/kernel/route-message.ts';
import { check, linkOf, type FloorEndpoint } from './kernel-floor.ts';

/** IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE */
const MODE_BRIDGE = u32Attribute(1, 4);

export interface MacvlanFloor {
  readonly host: NetlinkSocket;
  /** Index of the parent. */
  readonly parent: number;
}

export async function openMacvlanFloor(parent: string): Promise<MacvlanFloor> {
  const host = new NetlinkSocket('route');
  const [looked] = await host.batch([getLink(parent)]);
  return { host, parent: linkOf(looked).index };
}

async function inside<T>(netns: string, act: (socket: NetlinkSocket, fd: number) => Promise<T>): Promise<T> {
  const fd = openSync(netns, 'r');
  const socket = inNetns(fd, () => new NetlinkSocket('route'));
  try {
    return await act(socket, fd);
  } finally {
    await socket.close();
    closeSync(fd);
  }
}

export function attachMacvlanBare({ host, parent }: MacvlanFloor, endpoint: FloorEndpoint): Promise<void> {
  return inside(endpoint.netns, async (socket, netns) => {
    const nature = { kind: 'macvlan', data: [MODE_BRIDGE], lower: parent, netns };
    check(await host.batch([createUpperLink({ name: 'eth0', mac: endpoint.mac }, nature)]));
    const [, , seen] = await socket.batch([
      setLink('lo', { up: true }),
      setLink('eth0', { alias: 'floor' }),
      getLink('eth0'),
    ]);
    const link = linkOf(seen).index;
    inNetns(netns, () => {
      writeFileSync('/proc/sys/net/ipv4/conf/eth0/arp_notify', '1');
      writeFileSync('/proc/sys/net/ipv6/conf/eth0/disable_ipv6', '1');
    });
    check(
      await socket.batch([
        addAddress(link, prefixBytes(endpoint.address)),
        setLink(link, { up: true }),
        addRoute({ family: 4, destination: '0.0.0.0/0', table: RT_TABLE_MAIN, link, via: endpoint.gateway }),
      ]),
    );
  });
}

export function detachMacvlanBare({ netns }: FloorEndpoint): Promise<void> {
  return inside(netns, async (socket) => {
    const [seen] = await socket.batch([getLink('eth0')]);
    check(await socket.batch([deleteLink(linkOf(seen).index)]));
  });
}
