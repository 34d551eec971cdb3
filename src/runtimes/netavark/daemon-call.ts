/**
 * A call of netavark as it travels to a daemon, and what comes back.
 *
 * The daemon does all but what aardvark-dns is told: its files are where the caller says, and whoever may ask a daemon need not be
 * one that may write there. So what it is to be told comes back, and the caller, who is podman's and root, tells it.
 */
import type { Aardvark, AardvarkPlace } from './aardvark.ts';

/** Where the daemon takes calls (`src/daemon/http/netavark-route.ts`). */
export const NETAVARK_PATH_OF_DAEMON = '/tsnet/v1/runtimes/netavark';

export interface NetavarkCallRequest {
  readonly argv: readonly string[];
  /** Name that it was called by. */
  readonly programName: string;
  /** NETAVARK_… */
  readonly env: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly input: string;
}

/** One call of {@link Aardvark} that is still to be made. */
export type AardvarkNotice =
  | { readonly kind: 'add'; readonly place: AardvarkPlace; readonly given: Parameters<Aardvark['add']> }
  | { readonly kind: 'remove'; readonly place: AardvarkPlace; readonly given: Parameters<Aardvark['remove']> };

export interface NetavarkCallAnswer {
  /** Exit status. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** In order. Empty where nobody asks aardvark-dns. */
  readonly notices: readonly AardvarkNotice[];
}
