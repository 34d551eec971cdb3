/** Docker's port bindings (`com.docker.network.portmap`) in the words of `tsnet publish`. */
import { formatAddress, parseAddress } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { formatPortRequest, type PortRequest } from '../../model/port-mapping.ts';
import type { Protocol } from '../../model/records.ts';
import { messagesIn, portIn, textIn, type Message } from './message.ts';

/** IANA's numbers. */
const PROTOCOLS: Readonly<Record<number, Protocol>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** "8080:80/tcp", "127.0.0.1:53:53/udp"; one without a host port gets a free one. Docker names each port of a range by itself. */
export function publishedPorts(options: Message): string[] {
  const ranges: PortRequest[] = [];
  const requests = messagesIn(options, 'com.docker.network.portmap').map(requestOf);
  for (const request of requests.sort((a, b) => a.containerPort - b.containerPort)) {
    const longer = joined(ranges.at(-1), request);
    if (longer === undefined) ranges.push(request);
    else ranges[ranges.length - 1] = longer;
  }
  return ranges.map(formatPortRequest);
}

function requestOf(binding: Message): PortRequest {
  const number = portIn(binding, 'Proto');
  const protocol = PROTOCOLS[number];
  const containerPort = portIn(binding, 'Port');
  if (protocol === undefined || containerPort === 0) {
    const what = protocol === undefined ? `protocol ${number}` : 'port 0';
    throw new TsnetError('INVALID', `publish for Docker: ${what} cannot be published`);
  }
  const first = portIn(binding, 'HostPort');
  const last = portIn(binding, 'HostPortEnd');
  const address = textIn(binding, 'HostIP');
  return {
    protocol,
    ...(address === '' ? {} : { hostAddress: formatAddress(parseAddress(address)) }),
    hostPort: first === 0 ? 'ephemeral' : { first, last: Math.max(first, last) },
    containerPort,
    count: 1,
  };
}

/** One range where `next` is the port after `range`, on both sides; undefined where it is not. */
function joined(range: PortRequest | undefined, next: PortRequest): PortRequest | undefined {
  if (range === undefined || range.hostPort === 'ephemeral' || next.hostPort === 'ephemeral') return undefined;
  const { first, last } = range.hostPort;
  const isNext =
    range.protocol === next.protocol &&
    range.hostAddress === next.hostAddress &&
    last - first + 1 === range.count &&
    next.hostPort.first === next.hostPort.last &&
    next.hostPort.first === last + 1 &&
    next.containerPort === range.containerPort + range.count;
  return isNext ? { ...range, hostPort: { first, last: last + 1 }, count: range.count + 1 } : undefined;
}
