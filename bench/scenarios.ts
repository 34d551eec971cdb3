/** The twin's side (see twin.ts): the scenarios by name, and answering for one of them. */
import { crowdedHost } from './control-plane/crowd.ts';
import { publishedHost } from './control-plane/publish.ts';
import { CONNECTION_SCENARIOS } from './data-plane/connections.ts';
import { OVERLAY_SCENARIOS } from './data-plane/overlay.ts';
import { PATH_SCENARIOS } from './data-plane/paths.ts';
import { Skipped } from './group.ts';
import { prepareHost } from './isolated.ts';
import type { Scenario, TwinMessage, TwinRequest } from './twin.ts';

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  crowd: crowdedHost,
  publish: publishedHost,
  ...CONNECTION_SCENARIOS,
  ...PATH_SCENARIOS,
  ...OVERLAY_SCENARIOS,
};

function tell(message: TwinMessage): void {
  process.send?.(message);
}

/** Fills the host, then answers each message with a sample, until the parent ends. */
export async function playTwin(text: string): Promise<void> {
  // A twin without its parent is nobody's.
  process.once('disconnect', () => process.exit());
  try {
    const request = JSON.parse(text) as TwinRequest;
    const scenario = SCENARIOS[request.scenario];
    if (scenario === undefined) throw new Error(`no scenario "${request.scenario}"`);
    prepareHost();
    const sample = await scenario(request);
    process.on('message', () => {
      sample().then(
        (taken) => {
          tell({ sample: taken });
        },
        (error: unknown) => {
          tell({ failed: String(error) });
        },
      );
    });
    tell({ filled: true });
  } catch (error) {
    if (error instanceof Skipped) tell({ skipped: error.message });
    else tell({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
