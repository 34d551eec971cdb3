/**
 * Whether a sandbox still lives, and letting go of one that does not.
 *
 * Death is proved, never guessed: the namespace is looked for by identity, at its path, in every process, and by the host's
 * end of its veth, which the kernel destroys together with the namespace. "Cannot tell" counts as alive.
 */
import type { Sandbox } from '../model/records.ts';
import { ABANDONED, type EngineContext } from './context.ts';
import { detach } from './detach.ts';
import { hasProcess, livingSharers, ownerOf } from './sandbox-sharing.ts';

function sameNetns(a: Sandbox['netns'], b: Sandbox['netns']): boolean {
  return a.device === b.device && a.inode === b.inode && (a.cookie ?? b.cookie) === (b.cookie ?? a.cookie);
}

/** Why the sandbox is dead, or undefined while it lives. */
export async function sandboxDeath(context: EngineContext, sandbox: Sandbox): Promise<string | undefined> {
  const { kernel, ledger } = context;
  if (sandbox.origin.kind === 'own') {
    // Its namespace is theirs too.
    if (ledger.read((view) => livingSharers(kernel, view, sandbox)).length > 0) return undefined;
    if (sandbox.process === undefined) {
      return sandbox.owner !== undefined && kernel.isAlive(sandbox.owner) ? undefined : 'it was never started';
    }
    return kernel.isAlive(sandbox.process) ? undefined : `its process ${sandbox.process.pid} has ended`;
  }
  // A runtime has not made it yet, or nobody has looked: there is nothing to prove its death with.
  if (sandbox.netns.inode === 0) return undefined;
  const now = kernel.netnsAt(sandbox.netns.path);
  if (now !== undefined && sameNetns(now, sandbox.netns)) return undefined;
  if (kernel.netnsInUse(sandbox.netns)) return undefined;
  const links = await kernel.taggedLinks();
  const endpoints = ledger.read((view) => view.endpointsOfSandbox(sandbox.id));
  if (endpoints.some(({ id }) => links.has(`tsnet:${id}`))) return undefined;
  return now === undefined
    ? `its namespace ${sandbox.netns.path} is gone`
    : `${sandbox.netns.path} is another namespace now`;
}

/** Detaches a dead sandbox from everything and forgets it. The caller holds no lock. */
export async function removeDeadSandbox(context: EngineContext, sandbox: Sandbox): Promise<void> {
  await context.lock.shared(() => dismantleSandbox(context, sandbox));
}

/**
 * Detaches, unbinds and forgets a sandbox. One whose namespace others share stays until the last of them goes, and goes with
 * it. The caller holds the change lock.
 */
export async function dismantleSandbox(context: EngineContext, sandbox: Sandbox): Promise<void> {
  const { kernel, ledger, self } = context;
  const isKept = ledger.change((change) => {
    if (livingSharers(kernel, change, sandbox).length > 0) return true;
    const current = change.sandbox(sandbox.id);
    if (current !== undefined) change.putSandbox({ ...current, state: 'removing', owner: self });
    return false;
  });
  if (isKept) return;
  try {
    for (const endpoint of ledger.read((view) => view.endpointsOfSandbox(sandbox.id))) {
      await detach(context, endpoint.id);
    }
    if (sandbox.origin.kind === 'own' && sandbox.shares === undefined) kernel.removeNetns(sandbox.netns.path);
  } catch (error) {
    // This process may live on; the next change tries again all the same.
    ledger.change((change) => {
      const current = change.sandbox(sandbox.id);
      if (current !== undefined) change.putSandbox({ ...current, state: 'removing', owner: ABANDONED });
    });
    throw error;
  }
  const bereft = ledger.change((change) => {
    const owner = ownerOf(change, sandbox);
    change.deleteSandbox(sandbox.id);
    return owner?.id === sandbox.id || owner?.origin.kind !== 'own' || owner.state !== 'running' ? undefined : owner;
  });
  if (bereft !== undefined && !hasProcess(kernel, bereft)) await dismantleSandbox(context, bereft);
}
