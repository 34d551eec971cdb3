/** Docker's endpoints go with all that they have. */
import { setTimeout as pause } from 'node:timers/promises';
import { TsnetError } from '../../model/error.ts';
import type { EngineContext } from '../context.ts';
import { detach } from '../detach.ts';
import { recover } from '../recover.ts';

/** How often, and how long between, an endpoint is tried that somebody of us is just removing. */
const AGAIN = { times: 50, pauseMs: 100 } as const;

/** Takes the endpoint away with all that it has; one that is gone already is removed. */
export async function removeDockerEndpoint(context: EngineContext, endpointId: string): Promise<void> {
  await recover(context);
  for (let attempt = 1; ; attempt++) {
    try {
      await context.lock.shared(() => detach(context, endpointId));
      return;
    } catch (error) {
      if (!(error instanceof TsnetError && error.code === 'CONFLICT') || attempt === AGAIN.times) throw error;
      await pause(AGAIN.pauseMs);
    }
  }
}
