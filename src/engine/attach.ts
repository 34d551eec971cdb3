/**
 * The heart of connect and run: one sandbox, any number of networks and ports, all or nothing.
 *
 * Intent first: one ledger transaction leases all addresses, claims all ports and writes the endpoints as `attaching` with
 * this process as owner. Then the plans are ensured, as one. Then the endpoints are `attached`. If the process dies in between,
 * the next change finds the records and their dead owner, and undoes them (`recover.ts`).
 */
import type { Grant } from '../dhcp/grant.ts';
import { TsnetError } from '../model/error.ts';
import type { Endpoint, Netns, Network, Sandbox } from '../model/records.ts';
import type { LedgerChange, LedgerView } from '../model/ledger.ts';
import { sandboxPlan, planDifference, type AttachedEndpoint } from '../plan/sandbox-plan.ts';
import type { Listener, SandboxFacts } from '../plan/kernel.ts';
import type { Plan, Resource } from '../plan/resource.ts';
import { claimPorts, listenersFor } from './claim-ports.ts';
import { withClusterAddresses } from './cluster-addresses.ts';
import { ABANDONED, driverOf, namespacesOf, settled, type EngineContext } from './context.ts';
import { withDhcpAddresses } from './dhcp-addresses.ts';
import { draftEndpoint } from './draft-endpoint.ts';
import type { AttachOptions } from './engine.ts';
import { staleFlows } from './flows.ts';
import { addressProbe, type AddressProbe } from './probe-addresses.ts';
import { realize } from './realize.ts';
import { withRemoteAddresses } from './remote-addresses.ts';
import { releaseEndpoint } from './release.ts';
import { attempt, failure, reverse, transit, type Transition } from './undo.ts';

export interface Attachment {
  readonly network: Network;
  readonly options: AttachOptions;
  /** What a DHCP server gave for it (`dhcp-addresses.ts`). */
  readonly grant?: Grant;
}

/** What a sandbox of our own is born with. */
export interface Birth {
  /** Makes the namespace, once the ledger knows where it will be. */
  readonly createNetns: () => Netns;
  /** Unmakes it. */
  readonly removeNetns: () => void;
  /** Throws where the sandbox may not be, inside the transaction that writes it. */
  readonly check: (view: LedgerView) => void;
}

export interface AttachRequest {
  readonly sandbox: Sandbox;
  readonly attachments: readonly Attachment[];
  /** The sandbox does not exist yet: its record is part of the intent. */
  readonly birth?: Birth;
  readonly dryRun?: boolean;
}

export interface Attached {
  readonly sandbox: Sandbox;
  readonly endpoints: readonly Endpoint[];
  readonly plan: Plan;
}

interface Facts {
  readonly sandbox: SandboxFacts;
  readonly listeners: readonly Listener[];
}

/** A namespace that was made a moment ago has its loopback and nothing else. */
const NEWBORN: SandboxFacts = { links: ['lo'], foreignDefaultRoutes: [] };

async function readFacts(context: EngineContext, { sandbox, attachments, birth }: AttachRequest): Promise<Facts> {
  return {
    sandbox: birth === undefined ? await context.kernel.sandboxFacts(sandbox.netns) : NEWBORN,
    listeners: await listenersFor(
      context,
      attachments.flatMap(({ options }) => (options.runtimeHoldsPorts === true ? [] : (options.ports ?? []))),
    ),
  };
}

/** The endpoints of a sandbox with their networks, settled or not. */
export function attachedEndpoints(view: LedgerView, sandboxId: string): AttachedEndpoint[] {
  return withNetworks(view, view.endpointsOfSandbox(sandboxId));
}

function withNetworks(view: LedgerView, endpoints: readonly Endpoint[]): AttachedEndpoint[] {
  return endpoints
    .toSorted((a, b) => a.ordinal - b.ordinal)
    .flatMap((endpoint) => {
      const network = view.network(endpoint.networkId);
      return network === undefined ? [] : [{ endpoint, network }];
    });
}

/** The networks as they are now; throws for one that is going. */
function activeNetworks(view: LedgerView, { sandbox, attachments }: AttachRequest): Network[] {
  return attachments.map(({ network }) => {
    const current = view.network(network.id);
    if (current?.state === 'active') return current;
    throw new TsnetError('NOT_FOUND', `connect ${sandbox.name} to ${network.name}: the network is being removed`);
  });
}

interface Intent {
  readonly sandbox: Sandbox;
  readonly endpoints: readonly Endpoint[];
  readonly plan: Plan;
  readonly routes: Transition;
}

interface IntentInput {
  readonly request: AttachRequest;
  /** Those of the request's attachments. */
  readonly networks: readonly Network[];
  readonly facts: Facts;
}

/** The transaction: everything is leased and written, or nothing. */
function writeIntent(context: EngineContext, change: LedgerChange, { request, networks, facts }: IntentInput): Intent {
  request.birth?.check(change);
  const known = change.sandbox(request.sandbox.id);
  const sandbox: Sandbox = known ?? {
    ...request.sandbox,
    foreignDefaultRoutes: facts.sandbox.foreignDefaultRoutes,
  };
  if (known === undefined) {
    refuseSecond(change, sandbox);
    change.putSandbox(sandbox);
  }
  const siblings = known === undefined ? [] : change.endpointsOfSandbox(sandbox.id);
  const before = withNetworks(change, siblings);
  const made = networks.map((network, index): AttachedEndpoint => {
    const options = request.attachments[index]?.options ?? {};
    const bare = draftEndpoint(context, change, {
      network,
      sandbox,
      options,
      grant: request.attachments[index]?.grant,
      linkNames: facts.sandbox.links,
      siblings,
    });
    const ports = claimPorts(context, change, {
      network,
      endpoint: bare,
      wanted: options.ports ?? [],
      listeners: options.runtimeHoldsPorts === true ? [] : facts.listeners,
    });
    const endpoint = { ...bare, ports };
    refuseUnlimited(context, network, endpoint);
    change.putEndpoint(endpoint);
    siblings.push(endpoint);
    return { network, endpoint };
  });
  return {
    sandbox,
    endpoints: made.map(({ endpoint }) => endpoint),
    plan: [
      ...(request.birth === undefined ? [] : [loopback(sandbox)]),
      ...made.flatMap(({ network, endpoint }) => driverOf(context, network).endpointPlan(network, endpoint)),
    ],
    routes: planDifference(sandboxPlan(sandbox, before), sandboxPlan(sandbox, [...before, ...made])),
  };
}

/** Calls for one container at the same time all find it unknown, and drafted a sandbox each: one of them is it. */
function refuseSecond(change: LedgerChange, { name, origin }: Sandbox): void {
  if (!('id' in origin)) return;
  const first = change.sandboxOfRuntime(origin.kind, origin.id);
  if (first !== undefined) {
    throw new TsnetError('CONFLICT', `connect ${name}: it has just become known as ${first.name}; try again`);
  }
}

/** Limits that the driver does not plan would be promised and not kept. */
function refuseUnlimited(context: EngineContext, network: Network, endpoint: Endpoint): void {
  if (endpoint.bandwidth === undefined) return;
  const plan = driverOf(context, network).endpointPlan(network, endpoint);
  if (plan.some(({ kind }) => kind === 'token-bucket')) return;
  throw new TsnetError(
    'UNSUPPORTED',
    `limit the bandwidth on ${network.name}: networks of driver ${network.driver} have no limits; leave it out, or use a bridge network`,
  );
}

function loopback(sandbox: Sandbox): Resource {
  return { kind: 'link-up', place: { sandbox: sandbox.id }, link: 'lo' };
}

/** Attaches a sandbox to networks. The networks are brought up first if they are not. */
export function attach(context: EngineContext, request: AttachRequest): Promise<Attached> {
  return withRemoteAddresses(context, request, (settled) =>
    withDhcpAddresses(context, settled, (granted) =>
      withClusterAddresses(context, granted, (claimed) => attachSettled(context, claimed)),
    ),
  );
}

async function attachSettled(context: EngineContext, request: AttachRequest): Promise<Attached> {
  if (request.dryRun === true) {
    const facts = await readFacts(context, request);
    const { sandbox, endpoints, plan, routes } = context.ledger.rehearse((change) =>
      writeIntent(context, change, { request, networks: activeNetworks(change, request), facts }),
    );
    return { sandbox, endpoints, plan: [...plan, ...routes.added] };
  }
  const isFree = addressProbe(context, request);
  for (;;) {
    const attached = await context.lock.shared(() => attachOnce(context, request, isFree));
    if (attached !== undefined) return attached;
    await realize(
      context,
      request.attachments.map(({ network }) => network),
    );
  }
}

/**
 * Undefined when a network is down, which needs the lock for itself to be brought up, or when somebody on the LAN has an address
 * of ours: then all is to be done again.
 */
async function attachOnce(
  context: EngineContext,
  request: AttachRequest,
  isFree: AddressProbe,
): Promise<Attached | undefined> {
  const { sandbox, birth } = request;
  const work = async (): Promise<Attached | undefined> => {
    const facts = await readFacts(context, request);
    const intent = context.ledger.change((change) => {
      const networks = activeNetworks(change, request);
      // While we hold the lock nobody takes a network down.
      if (networks.some(({ id }) => !change.isRealized(id))) return undefined;
      return writeIntent(context, change, { request, networks, facts });
    });
    if (intent === undefined || !(await isFree(intent.endpoints))) return undefined;
    return carryOut(context, intent, request);
  };
  return birth === undefined ? context.kernel.visit(sandbox.netns, work) : work();
}

/** Makes the plan true and marks the endpoints `attached`, or undoes both. */
async function carryOut(
  context: EngineContext,
  intent: Intent,
  { attachments, birth }: AttachRequest,
): Promise<Attached> {
  const { kernel, ledger } = context;
  const { plan, routes } = intent;
  let { sandbox } = intent;
  try {
    if (birth !== undefined) sandbox = { ...sandbox, netns: birth.createNetns() };
    const namespaces = namespacesOf(sandbox);
    if (routes.gone.length === 0) {
      await kernel.ensure([...plan, ...routes.added], namespaces);
    } else {
      await kernel.ensure(plan, namespaces);
      await transit(context, routes, namespaces);
    }
    // A peer that kept sending to a UDP port while nobody published it has a conntrack entry that would swallow its packets.
    await kernel.forgetFlows(intent.endpoints.flatMap((endpoint) => staleFlows(endpoint.ports)));
    const endpoints = intent.endpoints.map((endpoint) => settled(endpoint, 'attached'));
    ledger.change((change) => {
      if (birth !== undefined) change.putSandbox(sandbox);
      for (const endpoint of endpoints) change.putEndpoint(endpoint);
    });
    return { sandbox, endpoints, plan: [...plan, ...routes.added] };
  } catch (error) {
    const failures = await takeBack(context, { ...intent, sandbox }, birth);
    const names = attachments.map(({ network }) => network.name).join(', ');
    throw failure(names === '' ? `run ${sandbox.name}` : `connect ${sandbox.name} to ${names}`, error, failures);
  }
}

/** Undoes everything; what could not be undone stays on record, for the next change to undo. Answers what went wrong. */
async function takeBack(
  context: EngineContext,
  { sandbox, endpoints, plan, routes }: Intent,
  birth: Birth | undefined,
): Promise<unknown[]> {
  const namespaces = namespacesOf(sandbox);
  const failures = await attempt(
    () => transit(context, reverse(routes), namespaces),
    () => context.kernel.remove(plan, namespaces),
    () => birth?.removeNetns(),
  );
  const kept = failures.length > 0;
  failures.push(
    ...(await attempt(() => {
      context.ledger.change((change) => {
        for (const endpoint of endpoints) {
          if (kept) change.putEndpoint({ ...endpoint, owner: ABANDONED });
          else releaseEndpoint(context, change, endpoint);
        }
        if (birth !== undefined && kept) change.putSandbox({ ...sandbox, owner: ABANDONED });
        else if (birth !== undefined) change.deleteSandbox(sandbox.id);
      });
    })),
  );
  return failures;
}
