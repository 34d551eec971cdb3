/**
 * What the plugins of runtimes ask for (CNI, OCI hook, netavark): their containers, known by ids of theirs, attached and detached.
 *
 * Runtimes call in parallel for one container, call again for what is done, and call for what is long gone: so a container
 * is looked for by its runtime's id first, and leaving is a matter of the ledger alone.
 */
import { TsnetError } from '../model/error.ts';
import { randomId, shortId, timestamp } from '../model/ids.ts';
import type { LedgerView } from '../model/ledger.ts';
import { sandboxNameFrom } from '../model/names.ts';
import type { Endpoint, Netns, Sandbox } from '../model/records.ts';
import { attach, type Attachment } from './attach.ts';
import { driverOf, type EngineContext } from './context.ts';
import { detach } from './detach.ts';
import type { AttachContainerRequest, DetachContainerRequest, RuntimeContainer, SandboxView } from './engine.ts';
import { withSpace } from './gc.ts';
import { findEndpoint, findNetwork } from './lookup.ts';
import { recover } from './recover.ts';
import { removeDeadSandbox, sandboxDeath } from './sandbox-life.ts';
import { requireNetns } from './sandbox-target.ts';
import { sandboxView } from './sandboxes.ts';
import { warningsFor } from './warnings.ts';

type Container = AttachContainerRequest['container'];

/** A runtime may attach one container to several networks at once: the loser of a race finds the sandbox made. */
const TRIES = 3;
/** Ten seconds in all, for who is detaching the same container. */
const WAIT_MS = 50;
const MOST_WAITS = 200;

export async function attachContainer(
  context: EngineContext,
  { container, attach: wanted }: AttachContainerRequest,
): Promise<SandboxView & { readonly warnings: readonly string[] }> {
  await recover(context);
  const attachments = context.ledger.read((view) =>
    wanted.map(({ network, ...options }) => ({ network: findNetwork(view, network), options })),
  );
  for (const { network } of attachments) refuseNetwork(context, network, container);
  const sandbox = await attachRacing(context, container, attachments);
  const view = context.ledger.read((reading) => sandboxView(context, reading, sandbox));
  const networks = attachments.map(({ network }) => network);
  return {
    ...view,
    // Not what others' firewalls drop, as `connect` tells: no runtime shows what a plugin that succeeded has to say, `tsnet diff` does.
    warnings: networks.flatMap((network) => warningsFor(sandbox, network, view.endpoints)),
  };
}

async function attachRacing(
  context: EngineContext,
  container: Container,
  attachments: readonly Attachment[],
): Promise<Sandbox> {
  for (let tries = 1; ; tries += 1) {
    const sandbox = await sandboxOf(context, container);
    refuseConnected(context, sandbox, attachments);
    try {
      return (await withSpace(context, () => attach(context, { sandbox, attachments }))).sandbox;
    } catch (error) {
      const isRaced =
        tries < TRIES &&
        context.ledger.read((view) => view.sandbox(sandbox.id) === undefined && known(view, container) !== undefined);
      if (!isRaced) throw error;
    }
  }
}

function refuseNetwork(context: EngineContext, network: Attachment['network'], container: Container): void {
  const refusal = driverOf(context, network).refusesEndpoints;
  if (refusal === undefined) return;
  throw new TsnetError('INVALID', `connect ${nameOf(container)} to ${network.name}: ${refusal.reason}`);
}

function refuseConnected(context: EngineContext, sandbox: Sandbox, attachments: readonly Attachment[]): void {
  context.ledger.read((view) => {
    const seen = new Set<string>();
    for (const { network } of attachments) {
      if (seen.has(network.id) || findEndpoint(view, network, sandbox) !== undefined) {
        throw new TsnetError('FORBIDDEN', `connect ${sandbox.name} to ${network.name}: it is connected already`);
      }
      seen.add(network.id);
    }
  });
}

function known(view: LedgerView, { runtime, id }: RuntimeContainer): Sandbox | undefined {
  return view.sandboxOfRuntime(runtime, id);
}

/** The sandbox of the ledger, or the draft of one. Those that stand in its way and are dead are let go of. */
async function sandboxOf(context: EngineContext, container: Container): Promise<Sandbox> {
  const { kernel, ledger } = context;
  const act = `connect ${nameOf(container)}`;
  const netns = requireNetns(context, act, container.netns);
  if (kernel.isHost(netns)) {
    throw new TsnetError('INVALID', `${act}: ${container.netns} is the host's own network namespace`);
  }
  const before = ledger.read((view) => known(view, container));
  for (const holder of [before, ledger.read((view) => view.sandboxByNetns(netns))]) {
    if (holder === undefined) continue;
    // A container has one namespace: its runtime knows when the one before is over, though sockets may still keep that.
    const isOver = holder === before && !isAt(context, holder);
    if (isOver) await removeDeadSandbox(context, holder);
    if (isOver || (await removedDead(context, holder))) continue;
    if (sameNamespace(holder, netns)) return adopted(context, holder, container);
    throw new TsnetError(
      'CONFLICT',
      `${act}: it is known with another namespace (${holder.netns.path}), which is alive; detach it first`,
    );
  }
  const process = container.pid === undefined ? undefined : kernel.processIdentity(container.pid);
  return {
    version: 1,
    id: randomId(),
    name: await freeName(context, container),
    origin: { kind: container.runtime, id: container.id },
    netns,
    ...(process === undefined ? {} : { process }),
    foreignDefaultRoutes: [],
    createdAt: timestamp(context.now()),
    state: 'running',
  };
}

/** Whether its namespace is where it was. */
function isAt({ kernel }: EngineContext, sandbox: Sandbox): boolean {
  const now = kernel.netnsAt(sandbox.netns.path);
  return now !== undefined && sameNamespace(sandbox, now);
}

function sameNamespace({ netns }: Sandbox, { device, inode }: Netns): boolean {
  return netns.device === device && netns.inode === inode;
}

/** A namespace that somebody connected by its path is the runtime's container from here on: so its end will find it. */
function adopted({ ledger }: EngineContext, sandbox: Sandbox, container: Container): Sandbox {
  const { origin } = sandbox;
  if (origin.kind === container.runtime && origin.id === container.id) return sandbox;
  if (origin.kind !== 'netns' && origin.kind !== 'pid') {
    throw new TsnetError(
      'CONFLICT',
      `connect ${nameOf(container)}: ${container.netns} is the namespace of container ${sandbox.name} (${origin.kind}); give each container its own`,
    );
  }
  const taken: Sandbox = { ...sandbox, origin: { kind: container.runtime, id: container.id } };
  ledger.change((change) => {
    if (change.sandbox(sandbox.id) !== undefined) change.putSandbox(taken);
  });
  return taken;
}

async function removedDead(context: EngineContext, sandbox: Sandbox): Promise<boolean> {
  if ((await sandboxDeath(context, sandbox)) === undefined) return false;
  await removeDeadSandbox(context, sandbox);
  return true;
}

function nameOf({ name, id }: Container): string {
  return sandboxNameFrom(name ?? id, 'container');
}

async function freeName(context: EngineContext, container: Container): Promise<string> {
  const wish = nameOf(container);
  const holder = context.ledger.read((view) => view.sandboxByName(wish));
  if (holder === undefined || (await removedDead(context, holder))) return wish;
  return `${wish}-${shortId(sandboxNameFrom(container.id, 'container'))}`;
}

export async function detachContainer(
  context: EngineContext,
  { container, network, interfaceName }: DetachContainerRequest,
): Promise<{ readonly detached: readonly Endpoint[] }> {
  await recover(context);
  const leaving = context.ledger.read((view) => {
    const sandbox = known(view, container);
    const endpoints = sandbox === undefined ? [] : view.endpointsOfSandbox(sandbox.id);
    return endpoints.filter(
      (endpoint) =>
        (interfaceName === undefined || endpoint.interfaceName === interfaceName) &&
        (network === undefined || isOf(view, endpoint, network)),
    );
  });
  for (const endpoint of leaving) await detachRacing(context, endpoint);
  return { detached: leaving };
}

/**
 * Resolves when it is off, whoever did it: another call for the container, or a daemon that saw it die, may be at it and is waited
 * for. A runtime may also detach one container from several networks at once: routes that were to move to one of them have nowhere
 * to go then, and it is tried again.
 */
async function detachRacing(context: EngineContext, { id, sandboxId }: Endpoint): Promise<void> {
  const siblings = (): string =>
    context.ledger.read((view) =>
      view
        .endpointsOfSandbox(sandboxId)
        .flatMap((other) => (other.id === id ? [] : [`${other.id} ${other.state}`]))
        .join(),
    );
  let waits = 0;
  for (let tries = 1; ;) {
    const before = siblings();
    try {
      await context.lock.shared(() => detach(context, id));
      return;
    } catch (error) {
      if (error instanceof TsnetError && error.code === 'CONFLICT' && waits < MOST_WAITS) {
        waits += 1;
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
      } else if (tries < TRIES && siblings() !== before) tries += 1;
      else throw error;
    }
  }
}

function isOf(view: LedgerView, { networkId }: Endpoint, reference: string): boolean {
  return networkId === reference || view.network(networkId)?.name === reference;
}

export async function findContainer(
  context: EngineContext,
  container: RuntimeContainer,
): Promise<SandboxView | undefined> {
  const view = context.ledger.read((reading) => {
    const sandbox = known(reading, container);
    return sandbox === undefined ? undefined : sandboxView(context, reading, sandbox);
  });
  if (view === undefined) return undefined;
  return { ...view, alive: (await sandboxDeath(context, view.sandbox)) === undefined };
}
