/**
 * Taking endpoints away: the mirror of attach.ts. Intent first (`detaching`), then the kernel, then the leases.
 */
import type { Endpoint, Network, Sandbox } from '../model/records.ts';
import type { LedgerView } from '../model/ledger.ts';
import { TsnetError } from '../model/error.ts';
import { planDifference, sandboxPlan } from '../plan/sandbox-plan.ts';
import type { Plan } from '../plan/resource.ts';
import { attachedEndpoints } from './attach.ts';
import { ABANDONED, driverOf, isAtWork, namespacesOf, type EngineContext } from './context.ts';
import { releaseClaims } from './cluster-addresses.ts';
import { endpointFlows } from './flows.ts';
import { releaseLease } from './dhcp-lease.ts';
import { releaseEndpoint } from './release.ts';
import { releaseAddresses } from './remote-addresses.ts';
import { attempt, failure, reason, transit, type Transition } from './undo.ts';

interface Leaving {
  readonly endpoint: Endpoint;
  readonly network: Network;
  readonly sandbox: Sandbox;
  readonly plan: Plan;
  readonly routes: Transition;
}

function leaving(context: EngineContext, view: LedgerView, endpointId: string): Leaving | undefined {
  const endpoint = view.endpoint(endpointId);
  const network = endpoint === undefined ? undefined : view.network(endpoint.networkId);
  const sandbox = endpoint === undefined ? undefined : view.sandbox(endpoint.sandboxId);
  if (endpoint === undefined || network === undefined || sandbox === undefined) return undefined;
  // Nothing is led by way of a network that is being left at the same time.
  const before = attachedEndpoints(view, sandbox.id).filter(
    (other) => other.endpoint.id === endpointId || other.endpoint.state !== 'detaching',
  );
  return {
    endpoint,
    network,
    sandbox,
    plan: driverOf(context, network).endpointPlan(network, endpoint),
    routes: planDifference(
      sandboxPlan(sandbox, before),
      sandboxPlan(
        sandbox,
        before.filter((other) => other.endpoint.id !== endpointId),
      ),
    ),
  };
}

/** The plan that detaching would remove. */
export function detachPlan(context: EngineContext, view: LedgerView, endpointId: string): Plan {
  const found = leaving(context, view, endpointId);
  return found === undefined ? [] : [...found.plan, ...found.routes.gone];
}

export interface DetachOptions {
  /** Forget the endpoint even where the kernel refuses; what it refused is answered. */
  readonly force?: boolean;
}

/**
 * Detaches one endpoint; one that is gone already is success. Answers what went wrong but was overridden by `force`, and a
 * DHCP lease that could not be given back: it ends by itself.
 * The caller holds the change lock.
 */
export async function detach(
  context: EngineContext,
  endpointId: string,
  options: DetachOptions = {},
): Promise<unknown[]> {
  const { kernel, ledger, self } = context;
  const found = ledger.change((change) => {
    const going = leaving(context, change, endpointId);
    if (going === undefined) {
      const stray = change.endpoint(endpointId);
      if (stray !== undefined) releaseEndpoint(context, change, stray);
      return undefined;
    }
    const { owner } = going.endpoint;
    if (owner !== undefined && isAtWork(context, owner)) {
      throw new TsnetError(
        'CONFLICT',
        `disconnect ${going.sandbox.name} from ${going.network.name}: process ${owner.pid} is changing it (${going.endpoint.state}); try again`,
      );
    }
    change.putEndpoint({ ...going.endpoint, state: 'detaching', owner: self });
    return going;
  });
  if (found === undefined) return [];
  const { endpoint, network, sandbox, plan, routes } = found;
  const namespaces = namespacesOf(sandbox);
  // Where routes move to another network they go first, so that the container is not without them while its link is deleted. A
  // container that is gone has no use for them.
  const moves = routes.added.length > 0 && isThere(context, sandbox);
  const failures = await attempt(
    () => (moves ? transit(context, routes, namespaces) : undefined),
    () => kernel.remove(moves ? plan : [...plan, ...routes.gone], namespaces),
    () => kernel.forgetFlows(endpointFlows(endpoint)),
    () => releaseAddresses(context, network, endpoint),
  );
  if (failures.length > 0 && options.force !== true) {
    ledger.change((change) => {
      change.putEndpoint({ ...endpoint, state: 'detaching', owner: ABANDONED });
    });
    const [first, ...rest] = failures;
    throw failure(`disconnect ${sandbox.name} from ${network.name}`, first, rest);
  }
  ledger.change((change) => {
    releaseEndpoint(context, change, endpoint);
  });
  return [
    ...failures,
    ...(await attempt(
      () => giveLeaseBack(context, network, endpoint),
      () => releaseClaims(context, network, endpoint),
    )),
  ];
}

/** Whether its namespace is where it was: without it nothing can be made in there. */
function isThere({ kernel }: EngineContext, { netns }: Sandbox): boolean {
  const now = kernel.netnsAt(netns.path);
  return now?.device === netns.device && now.inode === netns.inode;
}

async function giveLeaseBack(context: EngineContext, network: Network, endpoint: Endpoint): Promise<void> {
  try {
    await releaseLease(context, network, endpoint);
  } catch (error) {
    const { server, expiresAtMs } = endpoint.dhcp ?? { server: '?', expiresAtMs: 0 };
    throw new TsnetError(
      'KERNEL',
      `the address was not given back to DHCP server ${server} (${reason(error)}); its lease ends at ${new Date(expiresAtMs).toISOString()}`,
    );
  }
}
