/**
 * Where this host is for the others: what daemon.json's `cluster-advertise` says, or the address from which it reaches the store.
 */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { familyOf, withoutLength } from '../../model/address.ts';
import type { ClusterConfig } from '../../model/config.ts';
import { TsnetError } from '../../model/error.ts';
import type { Family } from '../../model/records.ts';
import type { Facts, HostLink } from '../../plan/kernel.ts';

export interface Place {
  readonly address: string;
  readonly family: Family;
  /** UDP port of VXLAN. */
  readonly port: number;
  /** Of the link that the address is on, bytes. */
  readonly mtu: number;
}

/** IANA's port of VXLAN (RFC 7348). */
const VXLAN_PORT = 4789;

/** @throws TsnetError CONFIG where there is no such interface, or it has no address */
export async function ownPlace(cluster: ClusterConfig, facts: Facts): Promise<Place> {
  const { advertise } = cluster;
  const address = advertise?.kind === 'address' ? advertise.address : await foundAddress(cluster, facts);
  const link = facts.links.find(({ addresses }) => addresses.some((one) => withoutLength(one) === address));
  if (link === undefined) {
    throw new TsnetError(
      'CONFIG',
      `join the cluster: no interface of this host has ${address}; mend "cluster-advertise"`,
    );
  }
  return { address, family: familyOf(address), port: advertise?.port ?? VXLAN_PORT, mtu: link.mtu };
}

async function foundAddress({ advertise, store }: ClusterConfig, { links }: Facts): Promise<string> {
  if (advertise?.kind === 'interface') {
    const { name } = advertise;
    const link = links.find((one) => one.name === name);
    const address = link === undefined ? undefined : firstAddress(link);
    if (address !== undefined) return address;
    const why = link === undefined ? 'there is no such interface' : 'it has no address';
    throw new TsnetError('CONFIG', `join the cluster: "cluster-advertise" names ${name}: ${why}`);
  }
  const [endpoint] = store.endpoints;
  const { host, port } = endpoint ?? { host: '', port: 0 };
  try {
    return await addressTowards(host, port);
  } catch (cause) {
    throw new TsnetError(
      'CONFIG',
      `join the cluster: there is no way to the store at ${host}, so that this host's own address is not known; name it with "cluster-advertise"`,
      { cause },
    );
  }
}

/** IPv4 before IPv6, and no address that is good on one link only. */
function firstAddress({ addresses }: HostLink): string | undefined {
  const all = addresses.map(withoutLength).filter((address) => !address.startsWith('fe80:'));
  return all.find((address) => familyOf(address) === 4) ?? all[0];
}

/** Nothing is sent: the kernel chooses the source when a datagram socket is connected. */
async function addressTowards(host: string, port: number): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, address, resolve);
    });
    return socket.address().address;
  } finally {
    socket.close();
  }
}
