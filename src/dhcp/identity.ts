/**
 * Who a container is to DHCP servers: the same again for the same container on the same network, after it was recreated, after
 * the network was, after a reboot.
 */
import { sha256 } from '../model/sha256.ts';

export interface DhcpClient {
  /** chaddr, and the source of its frames. */
  readonly mac: string;
  /** Option 61 in hex digits. */
  readonly clientId: string;
  /** Option 12. Absent where the container's name is none that a host may have. */
  readonly hostName?: string;
}

export interface Named {
  /** Of the ledger: two hosts with a "tv" on a "lan" are two clients. */
  readonly installationId: string;
  readonly network: string;
  readonly sandbox: string;
}

/** Type of a client identifier that says IAID and DUID (RFC 4361, 6.1), and of a DUID that is a UUID (RFC 6355). */
const IAID_AND_DUID = 'ff';
const DUID_UUID = '0004';
/** Unicast, locally administered (IEEE 802c: "administratively assigned"), and not 02:42, which follows from an address. */
const MAC_PREFIX = '0a';
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** `mac`: the one that was asked for; absent: one that follows from the names. */
export function dhcpClient({ installationId, network, sandbox }: Named, mac?: string): DhcpClient {
  const machine = sha256(`dhcp ${installationId} ${sandbox}`).slice(0, 32);
  const attachment = sha256(`dhcp ${installationId} ${sandbox} ${network}`);
  return {
    mac: mac ?? [MAC_PREFIX, ...(attachment.slice(8, 18).match(/../g) ?? [])].join(':'),
    clientId: `${IAID_AND_DUID}${attachment.slice(0, 8)}${DUID_UUID}${machine}`,
    ...hostNameOf(sandbox),
  };
}

/** The name that a container tells servers, if it is one that a host may have. */
export function hostNameOf(sandbox: string): Pick<DhcpClient, 'hostName'> {
  return HOST_NAME.test(sandbox) ? { hostName: sandbox } : {};
}
