/** A call of the plugin as it travels to a daemon, and what comes back. */
import type { Environment } from './invocation.ts';

/** Where the daemon takes calls (`src/daemon/http/cni-route.ts`). */
export const CNI_PATH_OF_DAEMON = '/tsnet/v1/runtimes/cni';

export interface CniCallRequest {
  /** The variables of the protocol. */
  readonly env: Environment;
  /** Standard input. */
  readonly input: string;
}

export interface CniCallAnswer {
  /** Exit status. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}
