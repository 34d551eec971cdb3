/**
 * The one error class of tsnet and the closed set of its codes.
 *
 * A message is one line that names what was attempted, why it could not be done and, where there is one, the way out.
 * Nobody matches on message text; callers look at `code`.
 */

/** Why something was refused or failed. Each code has one row in {@link ERROR_STATUS}. */
export type ErrorCode =
  /** The request is malformed: a bad name, address, port, option or combination. */
  | 'INVALID'
  /** A reference names nothing. */
  | 'NOT_FOUND'
  /** A reference names several things. */
  | 'AMBIGUOUS'
  /** The name is taken, or the same change is already being made. */
  | 'CONFLICT'
  /** Understood and refused: predefined network, network in use, pool overlap, address or endpoint taken. */
  | 'FORBIDDEN'
  /** No free address, subnet or ephemeral port is left. */
  | 'EXHAUSTED'
  /** A host port is held by another endpoint or by another program. */
  | 'PORT_TAKEN'
  /** A driver, kernel feature or mode that is not there. */
  | 'UNSUPPORTED'
  /** The caller lacks the privilege. */
  | 'PERMISSION'
  /** daemon.json cannot be used. */
  | 'CONFIG'
  /** The kernel refused a change. */
  | 'KERNEL'
  /** iptables or nftables refused a change. */
  | 'FIREWALL'
  /** The ledger cannot be read or written. */
  | 'LEDGER'
  /** A container runtime, or a Docker plugin, could not be asked. */
  | 'RUNTIME'
  /** A driver that others wrote, or a Docker plugin, failed or broke its contract. */
  | 'DRIVER'
  /** A wait reached its bound. */
  | 'TIMEOUT'
  /** A bug of ours. */
  | 'INTERNAL';

export interface ErrorStatus {
  /** Exit status of the command line. */
  readonly exit: number;
  /** HTTP status of the API (the classes of the Docker Engine API). */
  readonly http: number;
  /** CNI error code (spec 1.1.0, section "Error": 0–99 reserved by the spec, 100+ ours). */
  readonly cni: number;
}

/** What each code becomes at the three edges; a test walks it. */
export const ERROR_STATUS: Readonly<Record<ErrorCode, ErrorStatus>> = {
  INVALID: { exit: 1, http: 400, cni: 7 },
  NOT_FOUND: { exit: 1, http: 404, cni: 3 },
  AMBIGUOUS: { exit: 1, http: 400, cni: 7 },
  CONFLICT: { exit: 1, http: 409, cni: 100 },
  FORBIDDEN: { exit: 1, http: 403, cni: 101 },
  EXHAUSTED: { exit: 1, http: 500, cni: 102 },
  PORT_TAKEN: { exit: 1, http: 500, cni: 103 },
  UNSUPPORTED: { exit: 1, http: 501, cni: 2 },
  PERMISSION: { exit: 1, http: 401, cni: 104 },
  CONFIG: { exit: 1, http: 500, cni: 7 },
  KERNEL: { exit: 1, http: 500, cni: 105 },
  FIREWALL: { exit: 1, http: 500, cni: 106 },
  LEDGER: { exit: 1, http: 503, cni: 5 },
  RUNTIME: { exit: 1, http: 503, cni: 107 },
  DRIVER: { exit: 1, http: 500, cni: 108 },
  TIMEOUT: { exit: 1, http: 503, cni: 11 },
  INTERNAL: { exit: 1, http: 500, cni: 999 },
};

export class TsnetError extends Error {
  override readonly name = 'TsnetError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
