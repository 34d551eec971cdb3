/** The end of a sandbox of our own: its processes, its attachments, its files. */
import type { Engine, SandboxView } from '../engine/engine.ts';
import { TsnetError } from '../model/error.ts';
import { removeSandboxFiles, sandboxFolder } from '../launch/sandbox-files.ts';
import { endInhabitants, type Habitat } from '../launch/sandbox-processes.ts';

/** How long somebody else may take to remove what we wanted to remove. */
const OTHERS_MS = 10_000;
const POLL_MS = 50;

export function habitatOf({ sandbox, sharedBy }: SandboxView): Habitat {
  return { ...sandbox, isShared: sandbox.shares !== undefined || sharedBy.length > 0 };
}

/**
 * Removes the sandbox. `stop`, the process that waits for the command, and gc may all be at it: whoever is first does
 * it, and for the others what is gone is removed. While others share its network only its processes go.
 */
export async function removeOwnSandbox(engine: Engine, id: string, execRoot: string): Promise<void> {
  const view = await inspected(engine, id);
  if (view !== undefined) {
    await endInhabitants(habitatOf(view));
    try {
      await engine.removeSandbox(id);
    } catch (error) {
      if (!(await goesAway(engine, id, error))) throw error;
    }
  }
  const isKept = view !== undefined && view.sharedBy.length > 0 && (await inspected(engine, id)) !== undefined;
  if (!isKept) removeSandboxFiles(sandboxFolder(execRoot, id));
  // The last that shared a network takes the one along whose network it was.
  if (view?.sandbox.shares?.kind !== 'sandbox') return;
  const owner = view.sandbox.shares.sandboxId;
  if ((await inspected(engine, owner)) === undefined) removeSandboxFiles(sandboxFolder(execRoot, owner));
}

async function goesAway(engine: Engine, id: string, error: unknown): Promise<boolean> {
  if (!(error instanceof TsnetError)) return false;
  if (error.code === 'NOT_FOUND') return true;
  const end = performance.now() + (error.code === 'CONFLICT' ? OTHERS_MS : 0);
  for (;;) {
    if ((await inspected(engine, id)) === undefined) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function inspected(engine: Engine, id: string): Promise<SandboxView | undefined> {
  try {
    return await engine.inspectSandbox(id);
  } catch (error) {
    if (error instanceof TsnetError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
