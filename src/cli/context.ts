/** What every verb of the command line is handed: where to write, whom to ask, how to reach the engine. */
import type { Engine } from '../engine/engine.ts';
import type { Config } from '../model/config.ts';
import type { ConfigRequest } from '../config/load.ts';

export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output as it is; verbs end their own lines. */
  readonly write: (text: string) => void;
  /** Writes one line to standard error. */
  readonly writeError: (line: string) => void;
  /** For verbs that go on: has `stop` called when nobody reads what they write any more. */
  readonly onUnread: (stop: () => void) => void;
  /** Asks a person one question on standard error; the line typed, undefined at the end of input. */
  readonly ask: (question: string) => Promise<string | undefined>;
  /** The global options, for verbs that look at the configuration themselves. */
  readonly configRequest: () => ConfigRequest;
  /** The configuration; read once, at the first call. */
  readonly config: () => Promise<Config>;
  /** The engine; opened once, at the first call, and closed by `main`. */
  readonly engine: () => Promise<Engine>;
  /** Reports an error that does not end the command (one of several names was wrong): one line, exit status as of its code. */
  readonly report: (error: unknown) => void;
  /** Sets the exit status when it is not 0 and not that of an error. */
  readonly exitWith: (status: number) => void;
}
