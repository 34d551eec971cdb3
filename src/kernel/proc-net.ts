/**
 * Bound sockets as /proc/net tells them: for kernels without inet_diag, and for SCTP.
 */
import type { Family } from '../model/records.ts';
import { addressBytes, addressText } from './address-bytes.ts';
import type { BoundSocket, DiagProtocol } from './inet-diag.ts';

const LISTENING: Readonly<Record<DiagProtocol, string>> = { tcp: '0A', udp: '07' };

/** Parses /proc/net/{tcp,udp}{,6} (proc_net_tcp, Documentation/networking/proc_net_tcp.rst). IPV6_V6ONLY is not in there. */
export function parseSocketTable(text: string, protocol: DiagProtocol, family: Family): BoundSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line): BoundSocket[] => {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      if (state !== LISTENING[protocol] || address.length !== (family === 4 ? 8 : 32)) return [];
      return [
        {
          family,
          address: addressText(wordsInHostOrder(address)),
          port: parseInt(port, 16),
          inode: Number(inode),
          ipv6Only: false,
        },
      ];
    });
}

/** Addresses are printed as 32-bit words in the order of the (little-endian) host. */
function wordsInHostOrder(hex: string): Buffer {
  return Buffer.from(hex, 'hex').swap32();
}

/** Parses /proc/net/sctp/eps: ENDPT SOCK STY SST HBKT LPORT UID INODE LADDRS, the first local address marked `*`. */
export function parseSctpEndpoints(text: string): BoundSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, , , , , port, , inode, ...addresses] = line.trim().split(/\s+/);
      return addresses.map((marked): BoundSocket => {
        const bytes = addressBytes(marked.replace('*', ''));
        return {
          family: bytes.length === 4 ? 4 : 6,
          address: addressText(bytes),
          port: Number(port),
          inode: Number(inode),
          ipv6Only: false,
        };
      });
    });
}
