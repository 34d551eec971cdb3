/**
 * An error in CNI's words. The protocol has codes of its own (a version nobody speaks, an environment that lacks a variable) that
 * mean nothing to the rest of tsnet; what the engine refuses is a TsnetError and gets its code from the one table.
 */
import { ERROR_STATUS, TsnetError } from '../../model/error.ts';

/** Codes of the specification (1.1.0, section "Error") that the protocol itself needs. */
export type ProtocolCode =
  /** Incompatible version. */
  | 1
  /** A field of the configuration that is not supported. */
  | 2
  /** A container that is not known; nothing is to be cleaned. */
  | 3
  /** The environment. */
  | 4
  /** What cannot be decoded. */
  | 6
  /** A configuration that is wrong. */
  | 7
  /** A namespace that is none (libcni). */
  | 8
  /** Cannot do ADD now (STATUS). */
  | 50
  /** The container is not as it was made (CHECK). */
  | 110
  /** Another IPAM plugin failed. */
  | 111;

export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: number;
  readonly details: string | undefined;

  constructor(code: ProtocolCode, message: string, details?: string) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** What stands on standard output when a command fails. */
export interface ErrorDocument {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

/** libcni's "internal" for errors without a code. */
const INTERNAL = 999;

export function errorDocument(error: unknown, cniVersion: string): ErrorDocument {
  const { code, details } = tellingOf(error);
  return { cniVersion, code, msg: messageOf(error), ...(details === undefined ? {} : { details }) };
}

function tellingOf(error: unknown): { readonly code: number; readonly details: string | undefined } {
  if (error instanceof CniError) return { code: error.code, details: error.details };
  const code = error instanceof TsnetError ? ERROR_STATUS[error.code].cni : INTERNAL;
  const causes = error instanceof Error ? causesOf(error.cause) : [];
  return { code, details: causes.length === 0 ? undefined : causes.join('; ') };
}

function causesOf(cause: unknown): string[] {
  if (cause === undefined || cause === null) return [];
  if (cause instanceof AggregateError) return cause.errors.map(messageOf);
  return [messageOf(cause), ...(cause instanceof Error ? causesOf(cause.cause) : [])];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
