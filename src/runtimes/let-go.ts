/** Detaching a container that somebody else may be detaching at the same time: another call, or a daemon that saw it die. */
import type { DetachContainerRequest, Engine } from '../engine/engine.ts';
import { TsnetError } from '../model/error.ts';

const LONGEST_MS = 10_000;
const AGAIN_MS = 50;

/** Resolves when it is off, whoever did it; to what was detached by this call. */
export async function letGo(engine: Engine, request: DetachContainerRequest): ReturnType<Engine['detachContainer']> {
  for (let waited = 0; ; waited += AGAIN_MS) {
    try {
      return await engine.detachContainer(request);
    } catch (error) {
      const isBeingDone = error instanceof TsnetError && error.code === 'CONFLICT';
      if (!isBeingDone || waited >= LONGEST_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}
