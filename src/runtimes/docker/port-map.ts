/** Docker's port bindings (`com.docker.network.portmap`) in the words of `tsnet publish`. */
import { TsnetError } from '../../model/error.ts';
import { formatPortRequest } from '../../model/port-mapping.ts';
import { formatAddress, parseAddress } from '../../model/address.ts';
import type { Protocol } from '../../model/records.ts';
import { messagesIn, portIn, textIn, type Message } from './message.ts';

/** IANA's numbers. */
const PROTOCOLS: Readonly<Record<number, Protocol>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** "8080:80/tcp", "127.0.0.1:53:53/udp"; one without a host port gets a free one. */
export function publishedPorts(options: Message): string[] {
  return messagesIn(options, 'com.docker.network.portmap').map((binding) => {
    const number = portIn(binding, 'Proto');
    const protocol = PROTOCOLS[number];
    if (protocol === undefined)
      throw new TsnetError('INVALID', `publish for Docker: protocol ${number} is none of tcp, udp and sctp`);
    const first = portIn(binding, 'HostPort');
    const last = portIn(binding, 'HostPortEnd');
    const address = textIn(binding, 'HostIP');
    return formatPortRequest({
      protocol,
      ...(address === '' ? {} : { hostAddress: formatAddress(parseAddress(address)) }),
      hostPort: first === 0 ? 'ephemeral' : { first, last: Math.max(first, last) },
      containerPort: portIn(binding, 'Port'),
      count: 1,
    });
  });
}
