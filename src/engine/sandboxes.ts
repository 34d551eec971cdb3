/** Sandboxes of our own: a namespace under exec-root, attached, that lives as long as its process. */
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import { checkSandboxName } from '../model/names.ts';
import type { Sandbox } from '../model/records.ts';
import type { LedgerView } from '../model/ledger.ts';
import { attach } from './attach.ts';
import { driverOf, settled, type EngineContext } from './context.ts';
import type { CreateSandboxRequest, SandboxView } from './engine.ts';
import { collectDead, withSpace } from './gc.ts';
import { findNetwork, requireSandbox } from './lookup.ts';
import { recover } from './recover.ts';
import { dismantleSandbox, sandboxDeath } from './sandbox-life.ts';
import { attempt, failure } from './undo.ts';
import { warningsFor } from './warnings.ts';

export async function createSandbox(
  context: EngineContext,
  request: CreateSandboxRequest,
): Promise<SandboxView & { readonly warnings: readonly string[] }> {
  const { kernel, ledger, self } = context;
  await recover(context);
  const attachments = ledger.read((view) =>
    request.attach.map((options) => ({ network: findNetwork(view, options.network), options })),
  );
  for (const { network } of attachments) {
    const refusal = driverOf(context, network).refusesEndpoints;
    if (refusal !== undefined) throw new TsnetError('INVALID', `run on ${network.name}: ${refusal}`);
  }
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
    createdAt: timestamp(context.now()),
    state: 'creating',
    owner: self,
  } as const;
  const bindPath = path.join(context.config.execRoot, 'netns', id);
  // The record comes before the namespace, so that a crash in between leaves something to find.
  ledger.change((change) => {
    const holder = change.sandboxByName(name);
    if (holder !== undefined) {
      throw new TsnetError(
        'CONFLICT',
        `run ${name}: the name is taken by container ${holder.id.slice(0, 12)}; choose another or \`tsnet stop ${name}\``,
      );
    }
    change.putSandbox({ ...draft, netns: { path: bindPath, device: 0, inode: 0 } });
  });
  let sandbox: Sandbox | undefined;
  try {
    const made: Sandbox = { ...draft, netns: kernel.createNetns(bindPath) };
    sandbox = made;
    ledger.change((change) => {
      change.putSandbox(made);
    });
    await kernel.ensure([{ kind: 'link-up', place: { sandbox: id }, link: 'lo' }], new Map([[id, made.netns]]));
    if (attachments.length > 0) await withSpace(context, () => attach(context, { sandbox: made, attachments }));
  } catch (error) {
    const undo = await attempt(() =>
      context.lock.shared(() =>
        dismantleSandbox(context, sandbox ?? { ...draft, netns: { path: bindPath, device: 0, inode: 0 } }),
      ),
    );
    throw undo.length === 0 ? error : failure(`run ${name}`, error, undo);
  }
  const view = ledger.read((reading) => sandboxView(context, reading, requireSandbox(reading, id)));
  return {
    ...view,
    warnings: attachments.flatMap(({ network }) => warningsFor(view.sandbox, network, view.endpoints)),
  };
}

/** The process runs: from here on the sandbox lives and dies with it. */
export function adoptProcess(context: EngineContext, sandboxId: string, pid: number): void {
  const process = context.kernel.processIdentity(pid);
  if (process === undefined) throw new TsnetError('NOT_FOUND', `adopt process ${pid}: it has ended`);
  context.ledger.change((change) => {
    const sandbox = change.sandbox(sandboxId);
    if (sandbox === undefined) throw new TsnetError('NOT_FOUND', `adopt process ${pid}: the sandbox is gone`);
    change.putSandbox({ ...settled(sandbox, 'running'), process });
  });
}

export async function removeSandbox(context: EngineContext, reference: string): Promise<void> {
  await recover(context);
  const sandbox = context.ledger.read((view) => requireSandbox(view, reference));
  await context.lock.shared(() => dismantleSandbox(context, sandbox));
}

function sandboxView(context: EngineContext, view: LedgerView, sandbox: Sandbox): SandboxView {
  return {
    sandbox,
    endpoints: view
      .endpointsOfSandbox(sandbox.id)
      .sort((a, b) => a.ordinal - b.ordinal)
      .map((endpoint) => ({ ...endpoint, networkName: view.network(endpoint.networkId)?.name ?? '' })),
    alive: sandbox.process === undefined || context.kernel.isAlive(sandbox.process),
  };
}

export async function listSandboxes(context: EngineContext): Promise<SandboxView[]> {
  const views = context.ledger.read((view) => view.sandboxes().map((sandbox) => sandboxView(context, view, sandbox)));
  return Promise.all(
    views.map(async (view) => ({
      ...view,
      alive: view.sandbox.state === 'creating' || (await sandboxDeath(context, view.sandbox)) === undefined,
    })),
  );
}

export function inspectSandbox(context: EngineContext, reference: string): SandboxView {
  return context.ledger.read((view) => sandboxView(context, view, requireSandbox(view, reference)));
}
