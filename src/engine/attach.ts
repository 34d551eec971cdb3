/**
 * The heart of connect and run: one sandbox, one or more networks, all or nothing.
 *
 * Intent first: one ledger transaction leases the addresses, claims the ports and writes the endpoints as `attaching` with
 * this process as owner. Then the plans are ensured. Then the endpoints are `attached`. If the process dies in between,
 * the next change finds the records and their dead owner, and undoes them (`recover.ts`).
 */
import { TsnetError } from '../model/error.ts';
import type { Endpoint, Network, Sandbox } from '../model/records.ts';
import type { LedgerChange, LedgerView } from '../model/ledger.ts';
import { sandboxPlan, planDifference, type AttachedEndpoint } from '../plan/sandbox-plan.ts';
import type { Listener, SandboxFacts } from '../plan/kernel.ts';
import type { Plan } from '../plan/resource.ts';
import { claimPorts } from './claim-ports.ts';
import { ABANDONED, driverOf, namespacesOf, settled, type EngineContext } from './context.ts';
import { draftEndpoint } from './draft-endpoint.ts';
import type { AttachOptions } from './engine.ts';
import { staleFlows } from './flows.ts';
import { realize } from './realize.ts';
import { releaseEndpoint } from './release.ts';
import { attempt, failure, reverse, transit, type Transition } from './undo.ts';

export interface Attachment {
  readonly network: Network;
  readonly options: AttachOptions;
}

export interface AttachRequest {
  readonly sandbox: Sandbox;
  readonly attachments: readonly Attachment[];
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

async function readFacts(context: EngineContext, { sandbox, attachments }: AttachRequest): Promise<Facts> {
  const publishes = attachments.some(({ options }) => (options.ports ?? []).length > 0);
  return {
    sandbox: await context.kernel.sandboxFacts(sandbox.netns),
    listeners: publishes ? await context.kernel.listeners(['tcp', 'udp', 'sctp']) : [],
  };
}

/** The endpoints of a sandbox with their networks, settled or not. */
export function attachedEndpoints(view: LedgerView, sandboxId: string): AttachedEndpoint[] {
  return view
    .endpointsOfSandbox(sandboxId)
    .sort((a, b) => a.ordinal - b.ordinal)
    .flatMap((endpoint) => {
      const network = view.network(endpoint.networkId);
      return network === undefined ? [] : [{ endpoint, network }];
    });
}

interface Intent {
  readonly sandbox: Sandbox;
  readonly endpoints: readonly Endpoint[];
  readonly plan: Plan;
  readonly routes: Transition;
}

/** The transaction: everything is leased and written, or nothing. */
function writeIntent(context: EngineContext, change: LedgerChange, request: AttachRequest, facts: Facts): Intent {
  const known = change.sandbox(request.sandbox.id);
  const sandbox: Sandbox = known ?? {
    ...request.sandbox,
    foreignDefaultRoutes: facts.sandbox.foreignDefaultRoutes,
  };
  if (known === undefined) change.putSandbox(sandbox);
  const before = attachedEndpoints(change, sandbox.id);
  const made = request.attachments.map(({ network, options }): AttachedEndpoint => {
    const current = change.network(network.id);
    if (current?.state !== 'active') {
      throw new TsnetError('NOT_FOUND', `connect ${sandbox.name} to ${network.name}: the network is being removed`);
    }
    const bare = draftEndpoint(context, change, { network: current, sandbox, options, linkNames: facts.sandbox.links });
    const endpoint = {
      ...bare,
      ports: claimPorts(context, change, {
        network: current,
        endpoint: bare,
        wanted: options.ports ?? [],
        listeners: facts.listeners,
      }),
    };
    change.putEndpoint(endpoint);
    return { network: current, endpoint };
  });
  const after = attachedEndpoints(change, sandbox.id);
  return {
    sandbox,
    endpoints: made.map(({ endpoint }) => endpoint),
    plan: made.flatMap(({ network, endpoint }) => driverOf(context, network).endpointPlan(network, endpoint)),
    routes: planDifference(sandboxPlan(sandbox, before), sandboxPlan(sandbox, after)),
  };
}

/** Attaches a sandbox to networks. The networks are brought up first if they are not. */
export async function attach(context: EngineContext, request: AttachRequest): Promise<Attached> {
  const facts = await readFacts(context, request);
  if (request.dryRun === true) {
    const { sandbox, endpoints, plan, routes } = context.ledger.rehearse((change) =>
      writeIntent(context, change, request, facts),
    );
    return { sandbox, endpoints, plan: [...plan, ...routes.added] };
  }
  for (;;) {
    const attached = await attachOnce(context, request, facts);
    if (attached !== undefined) return attached;
  }
}

/** Undefined when a network was taken down between its bringing up and our turn: then all is to be done again. */
async function attachOnce(context: EngineContext, request: AttachRequest, facts: Facts): Promise<Attached | undefined> {
  const networks = request.attachments.map(({ network }) => network);
  await realize(context, networks);
  return context.lock.shared(async () => {
    // While we hold the lock nobody takes a network down.
    if (
      context.ledger.read((view) => networks.some(({ id }) => view.network(id) !== undefined && !view.isRealized(id)))
    ) {
      return undefined;
    }
    const intent = context.ledger.change((change) => writeIntent(context, change, request, facts));
    const endpoints = await carryOut(context, intent, request);
    return { sandbox: intent.sandbox, endpoints, plan: [...intent.plan, ...intent.routes.added] };
  });
}

/** Makes the plan true and marks the endpoints `attached`, or undoes both. */
async function carryOut(context: EngineContext, intent: Intent, request: AttachRequest): Promise<Endpoint[]> {
  const { kernel, ledger } = context;
  const { sandbox, endpoints, plan, routes } = intent;
  const namespaces = namespacesOf(sandbox);
  try {
    if (routes.gone.length === 0) {
      await kernel.ensure([...plan, ...routes.added], namespaces);
    } else {
      await kernel.ensure(plan, namespaces);
      await transit(context, routes, namespaces);
    }
    // A peer that kept sending to a UDP port while nobody published it has a conntrack entry that would swallow its packets.
    await kernel.forgetFlows(endpoints.flatMap((endpoint) => staleFlows(endpoint.ports)));
    return ledger.change((change) =>
      endpoints.map((endpoint) => {
        const attached = settled(endpoint, 'attached');
        change.putEndpoint(attached);
        return attached;
      }),
    );
  } catch (error) {
    const undo = await attempt(
      () => transit(context, reverse(routes), namespaces),
      () => kernel.remove(plan, namespaces),
    );
    // What could not be undone stays on record, for the next change to undo.
    undo.push(
      ...(await attempt(() => {
        ledger.change((change) => {
          for (const endpoint of endpoints) {
            if (undo.length === 0) releaseEndpoint(context, change, endpoint);
            else change.putEndpoint({ ...endpoint, owner: ABANDONED });
          }
        });
      })),
    );
    const names = request.attachments.map(({ network }) => network.name).join(', ');
    throw failure(`connect ${sandbox.name} to ${names}`, error, undo);
  }
}
