/** After a connect or a disconnect: the hosts file of a sandbox of our own names the addresses that it has now. */
import type { Engine } from '../engine/engine.ts';
import { rewriteHosts, sandboxFolder } from '../launch/sandbox-files.ts';
import { TsnetError } from '../model/error.ts';

/** Nothing happens for a container that is not ours, or that is gone by now. */
export async function refreshHosts(engine: Engine, container: string, execRoot: string): Promise<void> {
  try {
    const { sandbox, endpoints } = await engine.inspectSandbox(container);
    if (sandbox.origin.kind !== 'own') return;
    rewriteHosts(sandboxFolder(execRoot, sandbox.id), { name: sandbox.name, endpoints });
  } catch (error) {
    if (!(error instanceof TsnetError && error.code === 'NOT_FOUND')) throw error;
  }
}
