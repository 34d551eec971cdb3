/**
 * A container joins with an endpoint that Docker has made: the host's side, and the link that Docker takes into the container.
 */
import path from 'node:path';
import { familyOf } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { shortId } from '../../model/ids.ts';
import type { LedgerChange } from '../../model/ledger.ts';
import type { Endpoint, Family, Netns, Network, Sandbox } from '../../model/records.ts';
import { driverOf, namespacesOf, settled, type EngineContext } from '../context.ts';
import { requireDockerNetwork } from './docker-networks.ts';
import { realize } from '../realize.ts';
import { recover } from '../recover.ts';
import { attempt, failure } from '../undo.ts';
import { UNKNOWN_NETNS } from './reserve-endpoint.ts';

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
