/**
 * Keeping a lease: what the daemon does at T1 and T2, and `repair` whenever somebody runs it.
 *
 *     until T1          nothing
 *     T1 … T2           the server that gave it is asked for more time
 *     T2 … expiry       any server is
 *     expired, refused  a new lease is asked for, best with the same address; where the server gives another, the container
 *                       moves to it, unless its address was asked for by name (--ip)
 *
 * Where no server answers, the container keeps its address: a LAN whose server is down goes on working. It may be given to
 * somebody else once that is back, so `diff` shows it from its expiry on.
 */
import { extend, release } from '../dhcp/conversation.ts';
import type { Grant } from '../dhcp/grant.ts';
import { hostNameOf } from '../dhcp/identity.ts';
import type { Talk } from '../dhcp/question.ts';
import { withoutLength } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { DhcpLease, Endpoint, Network } from '../model/records.ts';
import { planDifference, sandboxPlan } from '../plan/sandbox-plan.ts';
import type { Plan } from '../plan/resource.ts';
import { attachedEndpoints } from './attach.ts';
import { driverOf, namespacesOf, type EngineContext } from './context.ts';
import { takeLease } from './dhcp-lease.ts';
import { withTalk } from './dhcp-network.ts';
import { grantedAddress, refuseHeld } from './draft-endpoint.ts';

/** How long one request for more time may take; there is time to ask again. */
const EXTEND_MS = 6_000;

export type Renewal =
  | { readonly kind: 'renewed'; readonly lease: DhcpLease }
  /** The container has another address now. */
  | { readonly kind: 'moved'; readonly from: string; readonly to: string; readonly lease: DhcpLease }
  /** It was disconnected meanwhile. */
  | { readonly kind: 'gone' };

/** An endpoint with an address from a DHCP server. */
export interface LeasedEndpoint {
  readonly endpoint: Endpoint;
  readonly network: Network;
  readonly lease: DhcpLease;
  /** "192.168.22.50" */
  readonly address: string;
  /** Name of its sandbox. */
  readonly sandbox: string;
}

/** The endpoints whose address a DHCP server gave, settled ones only; `only`: of these sandboxes. */
export function leasedEndpoints(view: LedgerView, only?: ReadonlySet<string>): LeasedEndpoint[] {
  const endpoints = only === undefined ? view.endpoints() : [...only].flatMap((id) => view.endpointsOfSandbox(id));
  return endpoints.flatMap(({ id, dhcp }) => (dhcp === undefined ? [] : (leasedEndpoint(view, id) ?? [])));
}

function leasedEndpoint(view: LedgerView, endpointId: string): LeasedEndpoint | undefined {
  const endpoint = view.endpoint(endpointId);
  const network = endpoint === undefined ? undefined : view.network(endpoint.networkId);
  const sandbox = endpoint === undefined ? undefined : view.sandbox(endpoint.sandboxId);
  const address = endpoint?.addresses.find((one) => !one.address.includes(':'));
  if (endpoint?.dhcp === undefined || endpoint.state !== 'attached' || address === undefined) return undefined;
  if (network === undefined || sandbox === undefined) return undefined;
  return { endpoint, network, lease: endpoint.dhcp, address: withoutLength(address.address), sandbox: sandbox.name };
}

/**
 * Renews the lease of an endpoint, whatever its time. The caller holds no lock.
 * @throws TsnetError TIMEOUT when nobody answers; FORBIDDEN when the server gives another address than the one asked for by name
 */
export async function renewLease(context: EngineContext, endpointId: string): Promise<Renewal> {
  const held = context.ledger.read((view) => leasedEndpoint(view, endpointId));
  if (held === undefined) return { kind: 'gone' };
  const { network, endpoint, lease, sandbox, address } = held;
  const client = { mac: endpoint.mac, clientId: lease.clientId, ...hostNameOf(sandbox) };
  return withTalk(context, network, client, async (talk) => {
    const now = context.now();
    const extended =
      now < lease.expiresAtMs
        ? await extend(
            { ...talk, timeoutMs: Math.min(talk.timeoutMs, EXTEND_MS) },
            address,
            lease,
            now < lease.rebindAtMs ? 'server' : 'anybody',
          )
        : 'refused';
    if (extended === undefined) {
      throw new TsnetError(
        'TIMEOUT',
        `DHCP server ${lease.server} does not answer; the lease of ${address} lasts until ${new Date(lease.expiresAtMs).toISOString()}`,
      );
    }
    if (extended !== 'refused') return adopt(context, held, talk, extended);
    const wish = { address, isFixed: lease.isFixed === true };
    return adopt(context, held, talk, await takeLease(context, network, talk, wish));
  });
}

/** Writes the new lease down, and moves the container where it names another address, subnet or router. */
async function adopt(context: EngineContext, held: LeasedEndpoint, talk: Talk, grant: Grant): Promise<Renewal> {
  let renewal: Renewal | undefined;
  try {
    return (renewal = await context.lock.shared(() => adoptLocked(context, held, grant)));
  } finally {
    // Where the daemon and a repair renew at once, the other may have written it down.
    const isHeld = context.ledger.read((view) => view.lease(held.network.id, grant.address)?.kind === 'endpoint');
    if (!isHeld && (renewal === undefined || renewal.kind === 'gone')) release(talk, grant.address, grant.lease);
  }
}

async function adoptLocked(
  context: EngineContext,
  { endpoint: { id }, network, address: from }: LeasedEndpoint,
  grant: Grant,
): Promise<Renewal> {
  const { ledger, kernel } = context;
  const { address: to, lease } = grant;
  const change = ledger.change((view) => {
    const held = leasedEndpoint(view, id);
    if (held === undefined || held.address !== from) return undefined;
    const before = planWith(context, view, held.endpoint);
    const next = { ...held.endpoint, addresses: [grantedAddress(network, grant)], dhcp: lease };
    if (to !== from) refuseHeld(view, { network, sandbox: held.sandbox, address: to });
    const after = planWith(context, view, next);
    const { gone } = planDifference(before.plan, after.plan);
    const isSame = JSON.stringify(before.plan) === JSON.stringify(after.plan);
    if (isSame) view.putEndpoint(next);
    return { isSame, gone, next, plan: after.plan, namespaces: after.namespaces };
  });
  if (change === undefined) return { kind: 'gone' };
  if (change.isSame) return { kind: 'renewed', lease };
  // First the old address goes: cut off in between, `diff` misses it and the lease is asked for again.
  await kernel.remove(change.gone, change.namespaces);
  const isThere = ledger.change((view) => {
    if (leasedEndpoint(view, id)?.address !== from) return false;
    view.releaseAddress(network.id, from);
    view.holdAddress(network.id, to, { kind: 'endpoint', endpointId: id }, 'static');
    view.putEndpoint(change.next);
    return true;
  });
  if (!isThere) return { kind: 'gone' };
  // All of it: with its last address a link loses routes that both plans have.
  await kernel.ensure(change.plan, change.namespaces);
  return to === from ? { kind: 'renewed', lease } : { kind: 'moved', from, to, lease };
}

/** The plan of the endpoint's sandbox, were the endpoint this one: the endpoint's own, and the routes of all. */
function planWith(
  context: EngineContext,
  view: LedgerView,
  endpoint: Endpoint,
): { readonly plan: Plan; readonly namespaces: ReturnType<typeof namespacesOf> } {
  const sandbox = view.sandbox(endpoint.sandboxId);
  const network = view.network(endpoint.networkId);
  if (sandbox === undefined || network === undefined) return { plan: [], namespaces: namespacesOf() };
  const attached = attachedEndpoints(view, sandbox.id).map((one) =>
    one.endpoint.id === endpoint.id ? { network, endpoint } : one,
  );
  return {
    plan: [...driverOf(context, network).endpointPlan(network, endpoint), ...sandboxPlan(sandbox, attached)],
    namespaces: namespacesOf(sandbox),
  };
}
