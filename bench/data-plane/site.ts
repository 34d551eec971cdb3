/**
 * The same little site for everybody who is measured: a client outside, a host, two containers on a bridge.
 *
 *     outside 198.18.0.2 ── 198.18.0.1 host 10.10.0.1 ──┬── web   10.10.0.2
 *                                                       └── peer  10.10.0.3
 *
 * The host is the namespace of this process. 198.18.0.0/15 is for measurements (RFC 2544).
 */
import { writeFileSync } from 'node:fs';
import { NetlinkSocket } from '../../src/kernel/netlink-socket.ts';
import { attachBare, createBridgeBare, openFloor } from '../kernel-floor.ts';
import { runWith } from '../run-with.ts';
import { openHost, type Backend } from '../tsnet-host.ts';

export const HOST = { netns: '/proc/self/ns/net', outside: '198.18.0.1', inside: '10.10.0.1' } as const;
export const OUTSIDE = { netns: '/run/netns/outside', sources: '198.18' } as const;
export const WEB = { netns: '/run/netns/web', address: '10.10.0.2' } as const;
export const PEER = { netns: '/run/netns/peer', address: '10.10.0.3' } as const;
/** The bridge of a site without tsnet. */
export const BARE_BRIDGE = 'bare0';

const SUBNET = '10.10.0.0/16';

const ip = (namespace: readonly string[], ...lines: readonly string[]): Promise<void> =>
  runWith(lines.map((line) => `${line}\n`).join(''), 'ip', ...namespace, '-batch', '-');

/** The client and its link; the host forwards. */
export async function makeOutside(): Promise<void> {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  await ip(
    [],
    'netns add outside',
    'link add lan0 type veth peer name eth0 netns outside',
    `address add ${HOST.outside}/15 dev lan0`,
    'link set lan0 up',
  );
  await ip(
    ['-n', 'outside'],
    'link set lo up',
    'link set eth0 up',
    `address add ${OUTSIDE.sources}.0.2/15 dev eth0`,
    `route add default via ${HOST.outside}`,
  );
}

/** Links, addresses and routes as tsnet makes them, and no firewall. */
export async function bareSite(): Promise<void> {
  await makeOutside();
  const netlink = new NetlinkSocket('route');
  await createBridgeBare(netlink, { name: BARE_BRIDGE, mac: '02:42:0a:0a:00:01', address: `${HOST.inside}/16` });
  await netlink.close();
  const floor = await openFloor(BARE_BRIDGE);
  for (const [name, { netns, address }] of Object.entries({ web: WEB, peer: PEER })) {
    await ip([], `netns add ${name}`);
    await attachBare(floor, {
      netns,
      host: `bare-${name}`,
      mac: `02:42:0a:0a:00:0${address.slice(-1)}`,
      address: `${address}/16`,
      gateway: HOST.inside,
    });
  }
  await floor.host.close();
}

/** tsnet's own, with these ports of `web` published. */
export async function tsnetSite(dir: string, backend: Backend, ports: readonly string[]): Promise<void> {
  await makeOutside();
  const { engine, container } = await openHost(dir, backend);
  await engine.createNetwork({ name: 'site', ipam: [{ subnet: SUBNET }] });
  await engine.connect({ network: 'site', container: container('web').path, ip: WEB.address, ports });
  await engine.connect({ network: 'site', container: container('peer').path, ip: PEER.address });
}
