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

/**
 * The same call as a shell can send it: what a form would send, so that no value needs quoting, under a type of its own, which no web
 * page may send without having asked. The answer is standard output as it is; its status says the exit status.
 */
export const CALL_TYPE = 'application/vnd.tsnet.call';

/** HTTP status of a call in that form that ended with exit status 1. */
export const FAILED_STATUS = 422;
