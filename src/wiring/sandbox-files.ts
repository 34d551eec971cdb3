/**
 * An engine that keeps the files of our own sandboxes in step: hosts names the addresses of now, and what gc lets go of
 * leaves no files. Whoever makes the change does it, the command line or the daemon.
 */
import type { Engine } from '../engine/engine.ts';
import { TsnetError } from '../model/error.ts';

export function keepingFiles(engine: Engine, execRoot: string): Engine {
  return {
    ...engine,
    connect: async (request) => {
      const answer = await engine.connect(request);
      if (request.dryRun !== true) await refreshHosts(engine, answer.sandbox.id, execRoot);
      return answer;
    },
    disconnect: async (request) => {
      const answer = await engine.disconnect(request);
      if (request.dryRun !== true) await refreshHosts(engine, request.container, execRoot);
      return answer;
    },
    updateEndpoint: async (request) => {
      const answer = await engine.updateEndpoint(request);
      if (request.dryRun !== true) await refreshHosts(engine, answer.endpoint.sandboxId, execRoot);
      return answer;
    },
    gc: async (request) => {
      const garbage = await engine.gc(request);
      if (request?.dryRun !== true) {
        const known = async (): Promise<Set<string>> =>
          new Set((await engine.listSandboxes()).map(({ sandbox }) => sandbox.id));
        const { sweepSandboxFiles } = await import('../launch/sandbox-files.ts');
        await sweepSandboxFiles(execRoot, known);
      }
      return garbage;
    },
  };
}

/** Nothing happens for a container that is not ours, or that is gone by now. */
async function refreshHosts(engine: Engine, container: string, execRoot: string): Promise<void> {
  try {
    const { sandbox, endpoints } = await engine.inspectSandbox(container);
    if (sandbox.origin.kind !== 'own') return;
    const { rewriteHosts, sandboxFolder } = await import('../launch/sandbox-files.ts');
    rewriteHosts(sandboxFolder(execRoot, sandbox.id), { name: sandbox.name, endpoints });
  } catch (error) {
    if (!(error instanceof TsnetError && error.code === 'NOT_FOUND')) throw error;
  }
}
