/**
 * Which sandbox a CONTAINER reference means: one of the ledger, or a namespace that becomes one.
 */
import { randomId, timestamp } from '../model/ids.ts';
import { TsnetError } from '../model/error.ts';
import { nearestName } from '../model/names.ts';
import type { Netns, Sandbox } from '../model/records.ts';
import { type ContainerReference, type EngineContext } from './context.ts';
import { findSandbox } from './lookup.ts';
import { removeDeadSandbox, sandboxDeath } from './sandbox-life.ts';
import { refuseSharer } from './sandbox-sharing.ts';

/** @throws TsnetError NOT_FOUND */
export function requireNetns(context: EngineContext, act: string, path: string): Netns {
  const netns = context.kernel.netnsAt(path);
  if (netns === undefined) {
    throw new TsnetError(
      'NOT_FOUND',
      `${act}: ${path} is not a network namespace; \`ip netns list\` and \`lsns -t net\` list them`,
    );
  }
  return netns;
}

/** Whether the reference can only mean something outside the ledger. */
function isForeign(reference: string): boolean {
  return reference.startsWith('/') || /^(netns|pid|docker|podman|containerd):/.test(reference);
}

/**
 * The sandbox for a change. A new record is only drafted here; the transaction that attaches it writes it.
 */
export async function targetSandbox(context: EngineContext, reference: string): Promise<Sandbox> {
  const { kernel, ledger } = context;
  if (!isForeign(reference)) {
    const known = ledger.read((view) => findSandbox(view, reference));
    if (known === undefined) throw unknownContainer(context, reference);
    ledger.read((view) => {
      refuseSharer(view, known, `connect ${known.name}`);
    });
    return living(context, known);
  }
  const found = await context.resolveContainer(reference);
  const netns = requireNetns(context, `connect ${reference}`, found.netnsPath);
  if (kernel.isHost(netns)) {
    throw new TsnetError('INVALID', `connect ${reference}: that is the host's own network namespace`);
  }
  const known = ledger.read((view) => view.sandboxByNetns(netns));
  if (known !== undefined) {
    const death = await sandboxDeath(context, known);
    if (death === undefined) return known;
    await removeDeadSandbox(context, known);
  }
  await freeName(context, found);
  const process = found.pid === undefined ? undefined : kernel.processIdentity(found.pid);
  return {
    version: 1,
    id: randomId(),
    name: found.name,
    origin: found.origin,
    netns,
    ...(process === undefined ? {} : { process }),
    foreignDefaultRoutes: [],
    createdAt: timestamp(context.now()),
    state: 'running',
  };
}

/** The namespace that a CONTAINER reference means, and the sandbox of the ledger that has it, if one does. */
export async function findNamespace(
  context: EngineContext,
  reference: string,
  act: string,
): Promise<{ readonly netns: Netns; readonly sandbox?: Sandbox }> {
  if (!isForeign(reference)) {
    const known = context.ledger.read((view) => findSandbox(view, reference));
    if (known === undefined) throw unknownContainer(context, reference);
    return { netns: known.netns, sandbox: known };
  }
  const found = await context.resolveContainer(reference);
  const netns = requireNetns(context, act, found.netnsPath);
  const sandbox = context.ledger.read((view) => view.sandboxByNetns(netns));
  return sandbox === undefined || sandbox.netns.cookie !== netns.cookie ? { netns } : { netns, sandbox };
}

function unknownContainer(context: EngineContext, reference: string): TsnetError {
  const names = context.ledger.read((view) => view.sandboxes().map(({ name }) => name));
  const near = nearestName(reference, names);
  return new TsnetError(
    'NOT_FOUND',
    `container ${reference} not found; ${near === undefined ? '' : `did you mean "${near}"? `}name one of \`tsnet ps\`, a namespace path, netns:NAME, pid:N, docker:NAME, podman:NAME or containerd:ID`,
  );
}

async function living(context: EngineContext, sandbox: Sandbox): Promise<Sandbox> {
  const death = sandbox.state === 'running' ? await sandboxDeath(context, sandbox) : undefined;
  if (death === undefined) return sandbox;
  await removeDeadSandbox(context, sandbox);
  throw new TsnetError('NOT_FOUND', `container ${sandbox.name} is gone (${death}); its networks were released`);
}

/** A dead sandbox may still have the name; a living one keeps it. */
async function freeName(context: EngineContext, found: ContainerReference): Promise<void> {
  const holder = context.ledger.read((view) => view.sandboxByName(found.name));
  if (holder === undefined) return;
  const death = await sandboxDeath(context, holder);
  if (death === undefined) {
    throw new TsnetError(
      'CONFLICT',
      `connect ${found.name}: a container of that name is known with another namespace (${holder.netns.path}); disconnect that one first`,
    );
  }
  await removeDeadSandbox(context, holder);
}
