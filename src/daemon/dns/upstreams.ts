/**
 * Whom a sandbox's questions of the outside go to, and from where.
 *
 * Nameservers of its own (`--dns`, else daemon.json's) are asked from inside the sandbox: they may be reachable from there
 * alone. The host's are asked from the host's namespace: one on the host's loopback is reached so, and sandboxes that have
 * no way out by themselves are none the less served. Sandboxes on internal networks alone are not: what is asked outside
 * is a way out too.
 */
import { createSocket } from 'node:dgram';
import { connect, isIP } from 'node:net';
import type { NameSocketKernel } from '../../kernel/name-sockets.ts';
import type { ResolverOverrides, Sandbox } from '../../model/records.ts';
import { NAME_SERVICE_ADDRESS } from '../../model/resolv-conf.ts';
import type { UpstreamPlace } from './exchange.ts';
import type { Upstreams } from './forwarder.ts';
import type { Asker } from './own-names.ts';
import type { Server } from './upstream-health.ts';

const PORT = 53;

const HOST: UpstreamPlace = {
  key: 'host',
  datagram: (family) => createSocket(family === 4 ? 'udp4' : 'udp6'),
  stream: ({ address, port }) => connect(port, address),
};

export interface UpstreamOptions {
  readonly sockets: NameSocketKernel;
  readonly hostNameservers: () => readonly Server[];
  /** daemon.json's. */
  readonly defaults: () => Pick<ResolverOverrides, 'dns'>;
}

export function openUpstreams({ sockets, hostNameservers, defaults }: UpstreamOptions) {
  return ({ id, netns, resolver }: Sandbox, { networks }: Asker): Upstreams | undefined => {
    const own = (resolver?.dns ?? defaults().dns).filter(
      (address) => isIP(address) !== 0 && address !== NAME_SERVICE_ADDRESS,
    );
    if (own.length > 0) {
      const place: UpstreamPlace = {
        key: id,
        datagram: (family) => sockets.datagram(netns, family),
        stream: ({ address, port }) => sockets.stream(netns, address, port),
      };
      return { place, servers: own.map((address) => ({ address, port: PORT })) };
    }
    if (networks.every(({ internal }) => internal)) return undefined;
    return { place: HOST, servers: hostNameservers() };
  };
}
