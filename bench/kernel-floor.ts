/**
 * The least that an attach can cost: the same netlink messages, pipelined, with nothing decided, recorded or checked; and, with a
 * published port, one `iptables-restore` of its rules.
 */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { addAddress } from '../src/kernel/address-message.ts';
import { prefixBytes } from '../src/kernel/address-bytes.ts';
import { createVeth, deleteLink, getLink, parseLink, setBridgePort, setLink } from '../src/kernel/link-message.ts';
import { inNetns, openNetns } from '../src/kernel/netns.ts';
import { NetlinkSocket, type Outcome } from '../src/kernel/netlink-socket.ts';
import { addRoute, RT_TABLE_MAIN } from '../src/kernel/route-message.ts';
import type { Netns } from '../src/model/records.ts';

export interface Floor {
  readonly host: NetlinkSocket;
  /** Index of the bridge. */
  readonly bridge: number;
}

function linkOf(outcome: Outcome | undefined): ReturnType<typeof parseLink> {
  const payload = outcome?.replies[0];
  if (payload === undefined) throw new Error(`no link: ${String(outcome?.refusal)}`);
  return parseLink(payload);
}

export async function openFloor(bridge: string): Promise<Floor> {
  const host = new NetlinkSocket('route');
  const [looked] = await host.batch([getLink(bridge)]);
  return { host, bridge: linkOf(looked).index };
}

function check(outcomes: readonly Outcome[]): void {
  for (const { refusal } of outcomes) if (refusal !== undefined) throw refusal;
}

export interface FloorEndpoint {
  readonly netns: Netns;
  readonly host: string;
  readonly mac: string;
  readonly address: string;
  readonly gateway: string;
}

export async function attachBare({ host, bridge }: Floor, endpoint: FloorEndpoint): Promise<void> {
  const fd = openNetns(endpoint.netns);
  const inside = inNetns(fd, () => new NetlinkSocket('route'));
  try {
    const made = await host.batch([
      createVeth({ name: endpoint.host, mtu: 1500 }, { name: 'eth0', mtu: 1500, mac: endpoint.mac }, fd),
      getLink(endpoint.host),
    ]);
    const link = linkOf(made[1]);
    check(
      await host.batch([
        setLink(link.index, { up: true, alias: 'floor', master: bridge }),
        setBridgePort(link.index, { hairpin: true, isolated: false }),
      ]),
    );
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
    await inside.close();
    closeSync(fd);
  }
}

export async function detachBare({ host }: Floor, name: string): Promise<void> {
  const [looked] = await host.batch([getLink(name)]);
  check(await host.batch([deleteLink(linkOf(looked).index)]));
}

/** One `iptables-restore --noflush` of the given lines. */
export function restore(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('iptables-restore', ['--noflush', '--wait'], { stdio: ['pipe', 'ignore', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`iptables-restore: status ${String(status)}`));
    });
    child.stdin.end(text);
  });
}
