/**
 * Endpoints of Docker's, which makes them in steps: first an endpoint with its addresses, of no container yet; then the container
 * joins; ports are published; it leaves; the endpoint goes.
 *
 * Docker sets up the container's side itself: it takes a link from the host, at any time after the join, and brings it back before
 * the end. So we make the host's side and that link (`Endpoint.handOver`). A join may be long before the container's namespace
 * is there; containers are told apart by the path that it will have (Docker's sandbox key).
 */
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { contains, familyOf, formatInterface, parseInterface, parsePrefix } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { shortId, timestamp } from '../../model/ids.ts';
import type { LedgerChange } from '../../model/ledger.ts';
import { macFromAddress, parseMac } from '../../model/mac.ts';
import type { Endpoint, EndpointAddress, Family, Netns, Network, Sandbox } from '../../model/records.ts';
import { driverOf, namespacesOf, settled, type EngineContext } from '../context.ts';
import { detach } from '../detach.ts';
import { requireDockerNetwork } from './networks.ts';
import { HOST_LINK_DIGITS, nextHop } from '../draft-endpoint.ts';
import { withSpace } from '../gc.ts';
import { addressHolder } from '../lookup.ts';
import { publish } from '../publish.ts';
import { realize } from '../realize.ts';
import { recover } from '../recover.ts';
import { refuseNeighbours } from '../shared-lan.ts';
import { attempt, failure } from '../undo.ts';
import { withdraw } from '../withdraw.ts';

export interface DockerEndpointRequest {
  readonly networkId: string;
  /** Docker's, and ours from then on. */
  readonly endpointId: string;
  /** "172.18.0.2/16" */
  readonly addresses: readonly string[];
  /** Absent: that which follows from the address. */
  readonly mac?: string;
}

const UNKNOWN_NETNS: Netns = { path: '', device: 0, inode: 0 };

/** Writes the endpoint down. Asked for a second time it is there. */
export async function reserveDockerEndpoint(context: EngineContext, request: DockerEndpointRequest): Promise<Endpoint> {
  await recover(context);
  return withSpace(context, () => context.lock.shared(() => Promise.resolve(reserve(context, request))));
}

function reserve(context: EngineContext, request: DockerEndpointRequest): Endpoint {
  const { networkId, endpointId: id } = request;
  const act = `make endpoint ${shortId(id)} for Docker`;
  return context.ledger.change((change) => {
    const known = change.endpoint(id);
    if (known?.networkId === networkId) return known;
    const network = requireDockerNetwork(context, networkId, act);
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
      networkId,
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

export interface DockerJoinRequest {
  readonly networkId: string;
  readonly endpointId: string;
  /** Where the container's namespace is, or will be. */
  readonly sandboxKey: string;
}

export interface DockerJoinAnswer {
  readonly endpoint: Endpoint;
  /** The link of the host that is the container's to be. */
  readonly link: string;
  readonly interfacePrefix: string;
}

/** Makes the host's side of the endpoint, and the link that Docker takes. */
export async function joinDockerEndpoint(
  context: EngineContext,
  request: DockerJoinRequest,
): Promise<DockerJoinAnswer> {
  await recover(context);
  const act = `join endpoint ${shortId(request.endpointId)} for Docker`;
  const network = requireDockerNetwork(context, request.networkId, act);
  for (;;) {
    const joined = await context.lock.shared(() => joinOnce(context, request, { network, act }));
    if (joined !== undefined) return joined;
    await realize(context, [network]);
  }
}

/** Undefined when the network is down, which needs the lock for itself to be brought up. */
async function joinOnce(
  context: EngineContext,
  request: DockerJoinRequest,
  { network, act }: { readonly network: Network; readonly act: string },
): Promise<DockerJoinAnswer | undefined> {
  const { kernel, ledger, self } = context;
  const driver = driverOf(context, network);
  const found = ledger.change((change) => {
    if (!change.isRealized(network.id)) return undefined;
    const before = change.endpoint(request.endpointId);
    if (before?.handOver === undefined || before.networkId !== network.id) {
      throw new TsnetError(
        'NOT_FOUND',
        `${act}: Docker has not made it, or tsnet has lost it; start the container again`,
      );
    }
    if (before.state !== 'attached') throw new TsnetError('CONFLICT', `${act}: it is being changed; try again`);
    const sandbox = moveToSandbox(context, change, before, request.sandboxKey);
    const offered: Endpoint = {
      ...before,
      ...placeIn(change, before, sandbox),
      handOver: { ...before.handOver, stage: 'offered' },
      state: 'attaching',
      owner: self,
    };
    change.putEndpoint(offered);
    return { before, offered, sandbox, handOver: before.handOver };
  });
  if (found === undefined) return undefined;
  const { before, offered, sandbox, handOver } = found;
  const namespaces = namespacesOf(sandbox);
  const plan = driver.endpointPlan(network, offered);
  try {
    // A join after a join: the link that Docker had is made anew.
    await kernel.remove(driver.endpointPlan(network, before), namespaces);
    await kernel.ensure(plan, namespaces);
    const endpoint: Endpoint = { ...settled(offered, 'attached'), handOver: { ...handOver, stage: 'taken' } };
    ledger.change((change) => {
      change.putEndpoint(endpoint);
    });
    const { interfacePrefix } = driver.endpointDefaults(network);
    return { endpoint, link: handOver.link, interfacePrefix };
  } catch (error) {
    const failures = await attempt(
      () => kernel.remove(plan, namespaces),
      () => {
        ledger.change((change) => {
          change.putEndpoint({ ...settled(offered, 'attached'), handOver: { ...handOver, stage: 'reserved' } });
        });
      },
    );
    throw failure(act, error, failures);
  }
}

/** The sandbox of the container with this key: known by its path or by its namespace, else the endpoint's own. */
function moveToSandbox(context: EngineContext, change: LedgerChange, endpoint: Endpoint, key: string): Sandbox {
  const now = context.kernel.netnsAt(key);
  const there =
    change.sandboxOfRuntime('docker-plugin', path.basename(key)) ??
    (now === undefined ? undefined : sameNamespace(change.sandboxByNetns(now), now));
  const own = change.sandbox(endpoint.sandboxId);
  const gateways = endpoint.addresses.filter(({ gateway, onLink }) => gateway !== undefined || onLink === true);
  const families = gateways.map(({ address }): Family => familyOf(address.slice(0, address.indexOf('/'))));
  const base = there ?? own;
  if (base === undefined) throw new TsnetError('INTERNAL', `endpoint ${shortId(endpoint.id)} has no sandbox`);
  const sandbox: Sandbox = {
    ...base,
    ...(there === undefined
      ? { origin: { kind: 'docker-plugin', id: path.basename(key) }, netns: now ?? { ...UNKNOWN_NETNS, path: key } }
      : {}),
    // Docker makes them.
    foreignDefaultRoutes: [...new Set([...base.foreignDefaultRoutes, ...families])],
  };
  change.putSandbox(sandbox);
  return sandbox;
}

function sameNamespace(sandbox: Sandbox | undefined, now: Netns): Sandbox | undefined {
  return sandbox?.netns.cookie === now.cookie ? sandbox : undefined;
}

/** Its place among the others of the sandbox; the sandbox that it had to itself goes. */
function placeIn(
  change: LedgerChange,
  endpoint: Endpoint,
  sandbox: Sandbox,
): Pick<Endpoint, 'sandboxId' | 'ordinal' | 'interfaceName'> {
  const siblings = change.endpointsOfSandbox(sandbox.id).filter(({ id }) => id !== endpoint.id);
  if (sandbox.id !== endpoint.sandboxId) change.deleteSandbox(endpoint.sandboxId);
  const taken = new Set(siblings.map(({ interfaceName }) => interfaceName));
  const prefix = endpoint.interfaceName.replace(/\d+$/, '');
  let number = 0;
  while (taken.has(`${prefix}${number}`)) number += 1;
  return {
    sandboxId: sandbox.id,
    ordinal: siblings.reduce((highest, { ordinal }) => Math.max(highest, ordinal), -1) + 1,
    interfaceName: `${prefix}${number}`,
  };
}

/**
 * Publishes these ports, as `publish` takes them, and no others. Why they are not, where the network publishes none: Docker does not
 * ask whether it does.
 */
export async function publishDockerPorts(
  context: EngineContext,
  {
    networkId,
    endpointId,
    ports,
  }: { readonly networkId: string; readonly endpointId: string; readonly ports: readonly string[] },
): Promise<string | undefined> {
  await withdrawDockerPorts(context, endpointId);
  if (ports.length === 0) return undefined;
  const network = requireDockerNetwork(context, networkId, `publish ${ports.join(', ')} for Docker`);
  const { refusesPorts } = driverOf(context, network).endpointDefaults(network);
  if (refusesPorts !== undefined) return refusesPorts;
  const endpoint = context.ledger.read((view) => view.endpoint(endpointId));
  if (endpoint === undefined)
    throw new TsnetError('NOT_FOUND', `publish ${ports.join(', ')} for Docker: the endpoint is gone`);
  await withSpace(context, () => publish(context, { network: networkId, container: endpoint.sandboxId, ports }));
  return undefined;
}

/** Withdraws all ports of an endpoint; of one that is gone there are none. */
export async function withdrawDockerPorts(context: EngineContext, endpointId: string): Promise<void> {
  await recover(context);
  const { ledger, lock, self } = context;
  await lock.shared(async () => {
    const endpoint = ledger.change((change) => {
      const current = change.endpoint(endpointId);
      if (current === undefined || current.ports.length === 0) return undefined;
      if (current.state !== 'attached') {
        throw new TsnetError(
          'CONFLICT',
          `withdraw ports for Docker: endpoint ${shortId(endpointId)} is being changed; try again`,
        );
      }
      const leaving: Endpoint = { ...current, changingPorts: current.ports, state: 'unpublishing', owner: self };
      change.putEndpoint(leaving);
      return leaving;
    });
    if (endpoint !== undefined) await withdraw(context, endpoint, endpoint.ports);
  });
}

/** How often, and how long between, an endpoint is tried that somebody of us is just removing. */
const AGAIN = { times: 50, pauseMs: 100 } as const;

/** Takes the endpoint away with all that it has; one that is gone already is removed. */
export async function removeDockerEndpoint(context: EngineContext, endpointId: string): Promise<void> {
  await recover(context);
  for (let attempt = 1; ; attempt++) {
    try {
      await context.lock.shared(() => detach(context, endpointId));
      return;
    } catch (error) {
      if (!(error instanceof TsnetError && error.code === 'CONFLICT') || attempt === AGAIN.times) throw error;
      await pause(AGAIN.pauseMs);
    }
  }
}
