/** The end of a sandbox of our own: its processes, its attachments, its files. */
import type { Engine } from '../engine/engine.ts';
import { TsnetError } from '../model/error.ts';
import type { Sandbox } from '../model/records.ts';
import { removeSandboxFiles, sandboxFolder } from '../launch/sandbox-files.ts';
import { endInhabitants } from '../launch/sandbox-processes.ts';

/** How long somebody else may take to remove what we wanted to remove. */
const OTHERS_MS = 10_000;
const POLL_MS = 50;

/**
 * Removes the sandbox. `stop`, the process that waits for the command, and gc may all be at it: whoever is first does
 * it, and for the others what is gone is removed.
 */
export async function removeOwnSandbox(engine: Engine, sandbox: Sandbox, execRoot: string): Promise<void> {
  await endInhabitants(sandbox.netns);
  try {
    await engine.removeSandbox(sandbox.id);
  } catch (error) {
    if (!(await goesAway(engine, sandbox.id, error))) throw error;
  }
  removeSandboxFiles(sandboxFolder(execRoot, sandbox.id));
}

async function goesAway(engine: Engine, id: string, error: unknown): Promise<boolean> {
  if (!(error instanceof TsnetError)) return false;
  if (error.code === 'NOT_FOUND') return true;
  const end = performance.now() + (error.code === 'CONFLICT' ? OTHERS_MS : 0);
  for (;;) {
    if (!(await isKnown(engine, id))) return true;
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function isKnown(engine: Engine, id: string): Promise<boolean> {
  try {
    await engine.inspectSandbox(id);
    return true;
  } catch (error) {
    if (error instanceof TsnetError && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}
