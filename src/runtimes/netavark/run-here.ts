/** A call carried out in this process. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { VERSION } from '../../wiring/version.ts';
import { openAardvark, type AardvarkOptions } from './aardvark.ts';
import { runNetavark, type NetavarkHost } from './run-netavark.ts';

export interface HereRequest extends Pick<NetavarkHost, 'env' | 'programName' | 'openEngine' | 'uplink'> {
  /** Standard input, or what reads it. */
  readonly input: string | (() => string);
  readonly writeAll: (descriptor: 1 | 2, text: string) => void;
  readonly locked: AardvarkOptions['locked'];
}

/** The exit status. */
export function runHere(argv: readonly string[], request: HereRequest): Promise<number> {
  const { input, writeAll, locked } = request;
  return runNetavark(argv, {
    ...request,
    tsnetVersion: VERSION,
    read: (file) =>
      file === undefined ? Promise.resolve(typeof input === 'string' ? input : input()) : readFile(file, 'utf8'),
    write: (text) => {
      writeAll(1, text);
    },
    writeError: (text) => {
      writeAll(2, text);
    },
    exists: existsSync,
    openAardvark: (place) => openAardvark({ ...place, locked }),
  });
}
