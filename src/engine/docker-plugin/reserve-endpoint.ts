/**
 * Endpoints of Docker's, which makes them in steps: first an endpoint with its addresses, of no container yet; then the container
 * joins; ports are published; it leaves; the endpoint goes.
 *
 * Docker sets up the container's side itself: it takes a link from the host, at any time after the join, and brings it back before
 * the end. So we make the host's side and that link (`Endpoint.handOver`). A join may be long before the container's namespace
 * is there; containers are told apart by the path that it will have (Docker's sandbox key).
 */
import { contains, formatInterface, parseInterface, parsePrefix, withoutLength } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { shortId, timestamp } from '../../model/ids.ts';
import type { LedgerChange } from '../../model/ledger.ts';
import { macFromAddress, parseMac } from '../../model/mac.ts';
import type { Endpoint, EndpointAddress, Netns, Network, Sandbox } from '../../model/records.ts';
import { claimed, namesOf } from '../cluster-addresses.ts';
import { isClustered, requiredCluster, type ClaimRequest } from '../cluster.ts';
import { driverOf, type EngineContext } from '../context.ts';
import { requireDockerNetwork } from './docker-networks.ts';
import { HOST_LINK_DIGITS, nextHop } from '../draft-endpoint.ts';
import { withSpace } from '../gc.ts';
import { addressHolder } from '../lookup.ts';
import { recover } from '../recover.ts';
import { releaseEndpoint } from '../release.ts';
import { refuseNeighbours } from '../shared-lan.ts';

export interface DockerEndpointRequest {
  readonly networkId: string;
  /** Docker's, and ours from then on. */
  readonly endpointId: string;
  /** "172.18.0.2/16" */
  readonly addresses: readonly string[];
  /** Absent: that which follows from the address. */
  readonly mac?: string;
}

/** Of a container whose namespace nobody has seen yet. */
export const UNKNOWN_NETNS: Netns = { path: '', device: 0, inode: 0 };

/** Writes the endpoint down. Asked for a second time it is there. */
export async function reserveDockerEndpoint(context: EngineContext, request: DockerEndpointRequest): Promise<Endpoint> {
  await recover(context);
  const endpoint = await withSpace(context, () =>
    context.lock.shared(() => Promise.resolve(reserve(context, request))),
  );
  await tellCluster(context, endpoint);
  return endpoint;
}

/** Its addresses were claimed for Docker's IPAM, before there was an endpoint. What another host has after all is refused. */
async function tellCluster(context: EngineContext, endpoint: Endpoint): Promise<void> {
  const network = context.ledger.read((view) => view.network(endpoint.networkId));
  if (network === undefined || !isClustered(driverOf(context, network))) return;
  const sandbox = { id: endpoint.sandboxId, name: `docker-${shortId(endpoint.id)}` };
  const request: ClaimRequest = {
    network,
    sandboxId: sandbox.id,
    sandboxName: sandbox.name,
    names: namesOf(sandbox, []),
    mac: endpoint.mac,
    ...Object.fromEntries(
      endpoint.addresses.map(({ address }) => [address.includes(':') ? 'ip6' : 'ip', withoutLength(address)]),
    ),
  };
  try {
    await claimed(request, requiredCluster(context, `connect ${sandbox.name} to ${network.name}`).assign(request));
  } catch (error) {
    context.ledger.change((change) => {
      releaseEndpoint(context, change, endpoint);
    });
    throw error;
  }
}

function reserve(context: EngineContext, request: DockerEndpointRequest): Endpoint {
  const { endpointId: id } = request;
  const act = `make endpoint ${shortId(id)} for Docker`;
  return context.ledger.change((change) => {
    const network = requireDockerNetwork(context, request.networkId, act);
    const known = change.endpoint(id);
    if (known?.networkId === network.id) return known;
    const addresses = request.addresses.map((address) => claim(context, change, { network, id, address, act }));
    if (addresses.length === 0) {
      throw new TsnetError('INVALID', `${act}: Docker gave it no address; IPAM driver "null" does not go with tsnet`);
    }
    const createdAt = timestamp(context.now());
    const sandbox: Sandbox = {
      version: 1,
      id,
      name: `docker-${shortId(id)}`,
      origin: { kind: 'docker-plugin', id },
      netns: UNKNOWN_NETNS,
      foreignDefaultRoutes: [],
      createdAt,
      state: 'running',
    };
    const endpoint: Endpoint = {
      version: 1,
      id,
      networkId: network.id,
      sandboxId: sandbox.id,
      interfaceName: `${driverOf(context, network).endpointDefaults(network).interfacePrefix}0`,
      hostLink: `veth${id.slice(0, HOST_LINK_DIGITS)}`,
      mac: macAddress(context, network, { ...request, act }),
      addresses,
      aliases: [],
      gatewayPriority: 0,
      ordinal: 0,
      ports: [],
      driverOptions: {},
      handOver: { link: `tsif${id.slice(0, HOST_LINK_DIGITS)}`, stage: 'reserved' },
      createdAt,
      state: 'attached',
    };
    change.putSandbox(sandbox);
    change.putEndpoint(endpoint);
    return endpoint;
  });
}

interface Claim {
  readonly network: Network;
  readonly id: string;
  readonly address: string;
  readonly act: string;
}

/** Takes over what Docker's IPAM has had of us, and what rests; refuses what another endpoint has. */
function claim(context: EngineContext, change: LedgerChange, { network, id, address, act }: Claim): EndpointAddress {
  const { address: parsed, prefix } = parseInterface(address);
  const text = formatInterface({ address: parsed, prefix });
  const bare = text.slice(0, text.indexOf('/'));
  const pool = network.pools.find(({ subnet }) => {
    const outer = parsePrefix(subnet);
    return outer.family === parsed.family && contains(outer, parsed);
  });
  if (pool === undefined) {
    throw new TsnetError('INVALID', `${act}: address ${bare} is in no subnet of network ${network.name}`);
  }
  if (change.lease(network.id, bare)?.kind === 'endpoint') {
    throw new TsnetError(
      'FORBIDDEN',
      `${act}: address ${bare} of network ${network.name} is held by ${addressHolder(change, network.id, bare)}; choose another`,
    );
  }
  refuseNeighbours(context, change, { network, sandbox: `docker-${shortId(id)}`, address: bare });
  change.holdAddress(network.id, bare, { kind: 'endpoint', endpointId: id }, 'static');
  return { address: text, ...nextHop(context, network, pool) };
}

function macAddress(
  context: EngineContext,
  network: Network,
  { addresses, mac, act }: Pick<DockerEndpointRequest, 'addresses' | 'mac'> & { readonly act: string },
): string {
  const { refusesMac } = driverOf(context, network).endpointDefaults(network);
  if (refusesMac === undefined) {
    return mac === undefined ? macFromAddress((addresses[0] ?? '').replace(/\/.*/, '')) : parseMac(mac);
  }
  if (mac === undefined) return '';
  throw new TsnetError('INVALID', `${act}: a MAC cannot be given: ${refusesMac}`);
}
