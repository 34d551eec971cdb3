/** Errors as netavark has them: `{"error": "…"}` on standard output and status 1. Podman prints the text behind "netavark: ". */
import { TsnetError } from '../../model/error.ts';

/** Several things went wrong and none of them kept the others from being tried. */
export function severalErrors(errors: readonly unknown[]): TsnetError {
  const texts = errors.map(errorText);
  const [first = ''] = texts;
  const [cause] = errors;
  const code = cause instanceof TsnetError ? cause.code : 'INTERNAL';
  return new TsnetError(
    code,
    texts.length === 1 ? first : `netavark encountered multiple errors:${texts.map((one) => `\n\t- ${one}`).join('')}`,
    { cause },
  );
}

export function errorText(error: unknown): string {
  if (error instanceof TsnetError) return error.message;
  if (error instanceof Error && 'syscall' in error) return `IO error: ${error.message}`;
  return `bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

export function errorAnswer(error: unknown): string {
  return `${JSON.stringify({ error: errorText(error) })}\n`;
}
