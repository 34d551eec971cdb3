/**
 * The netlink sockets of the host's namespace, one a protocol, kept from the first need on: opening one costs as much as several
 * exchanges.
 */
import { refused } from './kernel-refusal.ts';
import { NetlinkSocket, type NetlinkProtocol } from './netlink-socket.ts';

export interface HostSockets {
  /** Throws the error of the system, TsnetError where no kernel should refuse. */
  readonly socket: (protocol: NetlinkProtocol) => NetlinkSocket;
  /** Ends them all; the next need opens new ones. */
  readonly close: () => Promise<void>;
}

export function hostSockets(): HostSockets {
  const open = new Map<NetlinkProtocol, NetlinkSocket>();
  return {
    socket: (protocol) => {
      const known = open.get(protocol);
      if (known !== undefined && !known.isBroken) return known;
      const socket = protocol === 'route' ? openRouteSocket() : new NetlinkSocket(protocol);
      open.set(protocol, socket);
      return socket;
    },
    close: async () => {
      const sockets = [...open.values()];
      open.clear();
      await Promise.all(sockets.map((socket) => socket.close()));
    },
  };
}

/** A route socket in the namespace of the calling thread. */
export function openRouteSocket(): NetlinkSocket {
  try {
    return new NetlinkSocket('route');
  } catch (error) {
    throw refused('open a netlink socket', error);
  }
}
