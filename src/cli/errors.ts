/** Errors at the edge: what is written for them, and the exit status they end with. */
import { ERROR_STATUS, TsnetError } from '../model/error.ts';

/** Wrong use of the command line: unknown flag, bad value, wrong number of arguments. */
export const USAGE_STATUS = 125;
/** `diff` found drift. */
export const DRIFT_STATUS = 2;
/** `inspect --format` with a template that cannot be parsed, as Docker's. */
export const TEMPLATE_STATUS = 64;

/** A request that the command line itself refuses. Its message follows "tsnet: ". */
export class UsageError extends Error {
  readonly status: number;

  constructor(message: string, status: number = USAGE_STATUS) {
    super(message);
    this.status = status;
  }
}

export function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError) return error.status;
  return error instanceof TsnetError ? ERROR_STATUS[error.code].exit : ERROR_STATUS.INTERNAL.exit;
}

/** The one line of an error; with `debug` its causes follow, each on its own lines, indented. */
export function errorLines(error: unknown, debug: boolean): string[] {
  const line = `tsnet: ${oneLine(messageOf(error))}`;
  return debug ? [line, ...causeLines(error, '  ')] : [line];
}

function messageOf(error: unknown): string {
  if (error instanceof TsnetError || error instanceof UsageError) return error.message;
  // The system refused something plain, such as writing to a full disk.
  if (error instanceof Error && 'syscall' in error) return error.message;
  return `bug: ${error instanceof Error ? error.message : String(error)}; run again with --debug and report it`;
}

function causeLines(error: unknown, indent: string): string[] {
  if (!(error instanceof Error)) return [];
  const own = error instanceof TsnetError || error instanceof UsageError ? [] : stackLines(error, indent);
  const causes: unknown[] =
    error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause];
  const below = causes.flatMap((cause) => [
    `${indent}because ${oneLine(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))}`,
    ...causeLines(cause, `${indent}  `),
  ]);
  return [...own, ...below];
}

function stackLines(error: Error, indent: string): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => `${indent}${line.trim()}`);
}

/** Line breaks and other control characters of names and of other programs' messages must not break the one line. */
function oneLine(message: string): string {
  return message
    .trim()
    .replace(/\s*[\r\n]+\s*/g, '; ')
    .replace(/[\u0000-\u001f\u007f]/g, ' ');
}
