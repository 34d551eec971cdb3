/** An error on its way over the socket: what the command line prints of it is the same on both sides. */
import { ERROR_STATUS, TsnetError, type ErrorCode } from '../model/error.ts';

export interface ErrorBody {
  readonly message: string;
  /** Absent: a bug. */
  readonly code?: ErrorCode;
  readonly name?: string;
  readonly stack?: string;
  readonly cause?: ErrorBody;
  /** Of an AggregateError. */
  readonly errors?: readonly ErrorBody[];
}

/** Causes of causes beyond this are not told. */
const DEEPEST = 8;

export function errorBody(error: unknown, depth = 0): ErrorBody {
  if (!(error instanceof Error)) return { message: String(error) };
  const inner = (cause: unknown): ErrorBody => errorBody(cause, depth + 1);
  return {
    message: error.message,
    name: error.name,
    ...(error instanceof TsnetError ? { code: error.code } : {}),
    ...(error instanceof TsnetError || error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= DEEPEST ? {} : { cause: inner(error.cause) }),
    ...(error instanceof AggregateError && depth < DEEPEST ? { errors: error.errors.map(inner) } : {}),
  };
}

export function errorOf(body: ErrorBody): Error {
  const options = body.cause === undefined ? {} : { cause: errorOf(body.cause) };
  const error = madeOf(body, options);
  if (error instanceof TsnetError) return error;
  if (body.name !== undefined) error.name = body.name;
  if (body.stack !== undefined) error.stack = body.stack;
  return error;
}

function madeOf({ message, code, errors }: ErrorBody, options: { readonly cause?: Error }): Error {
  if (code !== undefined && Object.hasOwn(ERROR_STATUS, code)) return new TsnetError(code, message, options);
  return errors === undefined ? new Error(message, options) : new AggregateError(errors.map(errorOf), message, options);
}
