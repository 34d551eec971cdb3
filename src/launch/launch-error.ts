/** A command that could not be started: the exit status that shells and `docker run` give for it. */
import { TsnetError } from '../model/error.ts';

export const NOT_FOUND_STATUS = 127;
export const NOT_EXECUTABLE_STATUS = 126;

export class LaunchError extends TsnetError {
  readonly exitStatus: number;

  constructor(command: string, exitStatus: number, why: string, options?: { readonly cause?: unknown }) {
    super('INVALID', `run ${JSON.stringify(command)}: ${why}`, options);
    this.exitStatus = exitStatus;
  }
}

/** The error for an errno of execve(2). */
export function launchError(command: string, code: string | undefined, cause?: unknown): LaunchError {
  const options = cause === undefined ? undefined : { cause };
  switch (code ?? '') {
    case 'ENOENT':
    case 'ENOTDIR':
      return new LaunchError(command, NOT_FOUND_STATUS, 'command not found', options);
    case 'EACCES':
    case 'EPERM':
      return new LaunchError(command, NOT_EXECUTABLE_STATUS, 'permission denied: is it an executable file?', options);
    default:
      return new LaunchError(command, NOT_EXECUTABLE_STATUS, `it cannot be run (${code ?? 'unknown error'})`, options);
  }
}
