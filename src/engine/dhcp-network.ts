/**
 * Networks whose addresses a DHCP server of the LAN gives (`--ipam-driver dhcp`): what they can be, and how the server is talked to.
 *
 * They have no subnet of their own. The server says with each address which subnet it is in and where its router is; a --subnet
 * is what the administrator expects, and an address outside it is refused.
 */
import { dhcpClient, type DhcpClient } from '../dhcp/identity.ts';
import type { Talk } from '../dhcp/question.ts';
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import type { Driver } from '../plan/driver.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { CreateNetworkRequest } from './engine.ts';

/** Name of the IPAM driver. */
export const DHCP = 'dhcp';

/** Servers that first ping what they offer (dnsmasq) take three seconds for it. */
const DEFAULT_TIMEOUT_S = 12;
const MOST_TIMEOUT_S = 300;

export function isDhcp({ ipamDriver }: Pick<Network, 'ipamDriver'>): boolean {
  return ipamDriver === DHCP;
}

/** @throws TsnetError for what a DHCP server decides, or does not give */
export function checkDhcpRequest(request: CreateNetworkRequest, driver: Driver): void {
  const { name, ipam = [], ipamOptions = {}, enableIPv4 = true, enableIPv6 = false } = request;
  const refuse = (why: string): TsnetError =>
    new TsnetError('INVALID', `create network ${name}: --ipam-driver dhcp: ${why}`);
  if (driver.ipam !== 'lan') {
    throw refuse(`a ${driver.name} network has no LAN whose server could be asked; use -d macvlan -o parent=LINK`);
  }
  if (!enableIPv4 || enableIPv6 || ipam.some(({ subnet }) => subnet?.includes(':'))) {
    throw refuse('it gives IPv4 addresses only (DHCPv4); leave IPv6 out');
  }
  if (ipam.length > 1) throw refuse('a server gives addresses of one subnet; name one --subnet, or none');
  for (const { gateway, range } of ipam) {
    if (gateway !== undefined)
      throw refuse('the gateway is the one that the server names (option 3); leave --gateway out');
    if (range !== undefined) throw refuse('the range of addresses is set at the server; leave --ip-range out');
  }
  const unknown = Object.keys(ipamOptions).find((key) => key !== 'timeout');
  if (unknown !== undefined) throw refuse(`it has no option "${unknown}"; options: timeout (seconds)`);
  const timeout = ipamOptions['timeout'] ?? String(DEFAULT_TIMEOUT_S);
  if (!/^[1-9]\d*$/.test(timeout) || Number(timeout) > MOST_TIMEOUT_S) {
    throw refuse(`timeout=${timeout}: expected 1 to ${MOST_TIMEOUT_S} seconds`);
  }
}

/** @throws TsnetError where containers could not be told apart by a server, or reach none */
export function checkDhcpNetwork(context: EngineContext, network: Network): void {
  const { refusesMac, dhcpLink } = driverOf(context, network).endpointDefaults(network);
  if (dhcpLink !== undefined) return;
  const why =
    refusesMac === undefined
      ? 'without a parent there is no LAN whose server could be asked; name one with -o parent=LINK'
      : `a server tells clients apart by their MAC, and ${refusesMac}; use -d macvlan in another mode`;
  throw new TsnetError('INVALID', `create network ${network.name}: --ipam-driver dhcp: ${why}`);
}

/** Who a container that is about to be connected is to the servers. `mac`: the one that was asked for. */
export function newClient({ ledger }: EngineContext, network: Network, sandbox: string, mac?: string): DhcpClient {
  const installationId = ledger.read((view) => view.installationId());
  return dhcpClient({ installationId, network: network.name, sandbox }, mac);
}

/** Talks to the servers of a network's LAN as one of its containers. */
export async function withTalk<T>(
  context: EngineContext,
  network: Network,
  client: DhcpClient,
  work: (talk: Talk) => T | Promise<T>,
): Promise<T> {
  const link = driverOf(context, network).endpointDefaults(network).dhcpLink;
  if (link === undefined) {
    throw new TsnetError(
      'UNSUPPORTED',
      `network ${network.name}: driver ${network.driver} has no link to ask a DHCP server on`,
    );
  }
  const timeoutMs = Number(network.ipamOptions['timeout'] ?? DEFAULT_TIMEOUT_S) * 1000;
  const segment = await context.kernel.openDhcpSegment(link, client.mac);
  try {
    return await work({ segment, client, now: context.now, ticks: () => performance.now(), timeoutMs });
  } finally {
    segment.close();
  }
}
