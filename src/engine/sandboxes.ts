/** Sandboxes of our own: a namespace under exec-root, attached, that lives as long as its process. */
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import { checkSandboxName } from '../model/names.ts';
import type { Sandbox, SharedNetwork } from '../model/records.ts';
import type { LedgerView } from '../model/ledger.ts';
import { attach, type Attachment, type Birth } from './attach.ts';
import { blockedWarnings } from './blocked.ts';
import { ABANDONED, settled, type EngineContext } from './context.ts';
import type { CreateSandboxRequest, SandboxView } from './engine.ts';
import { collectDead, withSpace } from './gc.ts';
import { requireSandbox } from './lookup.ts';
import { recover } from './recover.ts';
import { dismantleSandbox, sandboxDeath } from './sandbox-life.ts';
import { sandboxNetwork } from './sandbox-network.ts';
import { livingSharers, sharedNetworkName } from './sandbox-sharing.ts';
import { attempt, failure } from './undo.ts';
import { warningsFor } from './warnings.ts';

export async function createSandbox(
  context: EngineContext,
  request: CreateSandboxRequest,
): Promise<SandboxView & { readonly warnings: readonly string[] }> {
  const { ledger, self } = context;
  await recover(context);
  const network = await sandboxNetwork(context, request.attach);
  const attachments = network.kind === 'own' ? network.attachments : [];
  const id = randomId();
  const name = request.name === undefined ? id.slice(0, 12) : checkSandboxName(request.name);
  if (ledger.read((view) => view.sandboxByName(name)) !== undefined) await collectDead(context);
  const draft = {
    version: 1,
    id,
    name,
    origin: { kind: 'own' },
    foreignDefaultRoutes: [],
    command: request.command,
    ...(request.resolver === undefined ? {} : { resolver: request.resolver }),
    createdAt: timestamp(context.now()),
    state: 'creating',
    owner: self,
  } as const;
  if (network.kind === 'shared') {
    ledger.change((change) => {
      refuseTakenName(change, draft);
      refuseGone(change, name, network.shares);
      change.putSandbox({ ...draft, shares: network.shares, netns: network.netns });
    });
  } else {
    await bearSandbox(context, draft, attachments);
  }
  handOver(context, id, request.creator);
  const view = ledger.read((reading) => sandboxView(context, reading, requireSandbox(reading, id)));
  return {
    ...view,
    warnings: [
      ...attachments.flatMap(({ network }) => warningsFor(view.sandbox, network, view.endpoints)),
      ...(await blockedWarnings(
        context,
        attachments.map(({ network }) => network),
      )),
    ],
  };
}

/** From here on it is the creator's to finish; one that is gone by now leaves it to the next change to remove. */
function handOver({ kernel, ledger, self }: EngineContext, id: string, creator: number | undefined): void {
  if (creator === undefined || creator === self.pid) return;
  const owner = kernel.processIdentity(creator) ?? ABANDONED;
  ledger.change((change) => {
    const sandbox = change.sandbox(id);
    if (sandbox?.state === 'creating') change.putSandbox({ ...sandbox, owner });
  });
}

/**
 * Makes the namespace and attaches it. The record comes before the namespace, so that a crash in between leaves something to
 * find.
 */
async function bearSandbox(
  context: EngineContext,
  draft: Omit<Sandbox, 'netns'>,
  attachments: readonly Attachment[],
): Promise<void> {
  const { kernel, ledger } = context;
  const netnsPath = path.join(context.config.execRoot, 'netns', draft.id);
  // Who it is, nobody knows before it is made.
  const sandbox: Sandbox = { ...draft, netns: { path: netnsPath, device: 0, inode: 0 } };
  const birth: Birth = {
    check: (view) => {
      refuseTakenName(view, draft);
    },
    createNetns: () => kernel.createNetns(netnsPath),
    removeNetns: () => {
      kernel.removeNetns(netnsPath);
    },
  };
  try {
    await withSpace(context, () => attach(context, { sandbox, attachments, birth }));
  } catch (error) {
    const left = ledger.read((view) => view.sandbox(draft.id));
    if (left === undefined) throw error;
    const undo = await attempt(() => context.lock.shared(() => dismantleSandbox(context, left)));
    throw undo.length === 0 ? error : failure(`run ${draft.name}`, error, undo);
  }
}

function refuseTakenName(view: LedgerView, { id, name }: Pick<Sandbox, 'id' | 'name'>): void {
  const holder = view.sandboxByName(name);
  if (holder === undefined || holder.id === id) return;
  throw new TsnetError(
    'CONFLICT',
    `run ${name}: the name is taken by container ${holder.id.slice(0, 12)}; choose another or \`tsnet stop ${name}\``,
  );
}

function refuseGone(view: LedgerView, name: string, shares: SharedNetwork): void {
  if (shares.kind !== 'sandbox' || view.sandbox(shares.sandboxId)?.state === 'running') return;
  throw new TsnetError('NOT_FOUND', `run ${name}: the container whose network it should share is gone`);
}

/** The process runs: from here on the sandbox lives and dies with it. */
export function adoptProcess(context: EngineContext, sandboxId: string, pid: number): void {
  const process = context.kernel.processIdentity(pid);
  if (process === undefined) throw new TsnetError('NOT_FOUND', `adopt process ${pid}: it has ended`);
  context.ledger.change((change) => {
    const sandbox = change.sandbox(sandboxId);
    if (sandbox === undefined) throw new TsnetError('NOT_FOUND', `adopt process ${pid}: the sandbox is gone`);
    const mountNamespace = context.kernel.mountNamespace(pid);
    change.putSandbox({
      ...settled(sandbox, 'running'),
      process,
      ...(mountNamespace === undefined ? {} : { mountNamespace }),
    });
  });
}

export async function removeSandbox(context: EngineContext, reference: string): Promise<void> {
  await recover(context);
  const sandbox = context.ledger.read((view) => requireSandbox(view, reference));
  await context.lock.shared(() => dismantleSandbox(context, sandbox));
}

/** What is told of a sandbox, `alive` as far as its process tells. */
export function sandboxView(context: EngineContext, view: LedgerView, sandbox: Sandbox): SandboxView {
  const shared = sharedNetworkName(view, sandbox);
  return {
    sandbox,
    endpoints: view
      .endpointsOfSandbox(sandbox.id)
      .sort((a, b) => a.ordinal - b.ordinal)
      .map((endpoint) => ({ ...endpoint, networkName: view.network(endpoint.networkId)?.name ?? '' })),
    alive: sandbox.process === undefined || context.kernel.isAlive(sandbox.process),
    ...(shared === undefined ? {} : { sharesNetworkOf: shared }),
    sharedBy: livingSharers(context.kernel, view, sandbox).map(({ name }) => name),
  };
}

export async function listSandboxes(context: EngineContext): Promise<SandboxView[]> {
  const views = context.ledger.read((view) => view.sandboxes().map((sandbox) => sandboxView(context, view, sandbox)));
  return Promise.all(
    views.map(async (view) => ({
      ...view,
      alive:
        view.sandbox.state === 'creating' ||
        (view.sharedBy.length > 0 && view.sandbox.origin.kind === 'own'
          ? view.alive
          : (await sandboxDeath(context, view.sandbox)) === undefined),
    })),
  );
}

export function inspectSandbox(context: EngineContext, reference: string): SandboxView {
  return context.ledger.read((view) => sandboxView(context, view, requireSandbox(view, reference)));
}
