/** `tsnet disconnect`. */
import type { EngineContext } from './context.ts';
import { detach, detachPlan } from './detach.ts';
import type { ChangeAnswer, DisconnectRequest } from './engine.ts';
import { findNetwork, findSandbox, requireEndpoint, requireSandbox } from './lookup.ts';
import { recover } from './recover.ts';
import { reason } from './undo.ts';

export async function disconnect(context: EngineContext, request: DisconnectRequest): Promise<ChangeAnswer> {
  await recover(context);
  const network = context.ledger.read((view) => findNetwork(view, request.network));
  const sandbox = await knownSandbox(context, request.container);
  const endpoint = context.ledger.read((view) => requireEndpoint(view, network, sandbox));
  const plan = detachPlan(context, endpoint.id);
  if (request.dryRun === true) return { plan, warnings: [] };
  const overridden = await context.lock.shared(() =>
    detach(context, endpoint.id, request.force === undefined ? {} : { force: request.force }),
  );
  return { plan, warnings: overridden.map(reason) };
}

/**
 * The sandbox that a reference means, dead or alive: leaving must work when the namespace is gone, so a foreign reference
 * is matched by the name it would have got as well.
 */
export async function knownSandbox(
  context: EngineContext,
  reference: string,
): Promise<ReturnType<typeof requireSandbox>> {
  const { ledger, kernel } = context;
  const known = ledger.read((view) => findSandbox(view, reference));
  if (known !== undefined) return known;
  const byPath = ledger.read((view) =>
    view
      .sandboxes()
      .find(
        ({ netns, origin }) =>
          netns.path === reference ||
          (origin.kind === 'netns' && `/run/netns/${reference.replace(/^netns:/, '')}` === origin.path),
      ),
  );
  if (byPath !== undefined) return byPath;
  const bare = reference.replace(/^(docker|podman|containerd|pid):/, '');
  if (bare !== reference) {
    const named = ledger.read((view) =>
      view
        .sandboxes()
        .find(
          ({ name, origin }) =>
            name === bare ||
            ('id' in origin && origin.id.startsWith(bare)) ||
            (origin.kind === 'pid' && String(origin.pid) === bare),
        ),
    );
    if (named !== undefined) return named;
    const netns = kernel.netnsAt((await context.resolveContainer(reference)).netnsPath);
    const found = netns === undefined ? undefined : ledger.read((view) => view.sandboxByNetns(netns));
    if (found !== undefined) return found;
  }
  return ledger.read((view) => requireSandbox(view, reference));
}
