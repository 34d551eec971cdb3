/**
 * Kernel parameters of the host that networks need. Few of them change with an event, so they are read twice a second: those of
 * the host itself each time, those of links in turns. A read costs some 10 µs.
 */
import type { Interests } from './interests.ts';

const POLL_MS = 500;
const MOST_A_TURN = 64;
const OF_A_LINK = /^net\/ipv[46]\/(conf|neigh)\/(?!all\/|default\/)/;

export interface ParameterWatchOptions {
  readonly readParameter: (key: string) => string | undefined;
  readonly wanted: () => Interests['parameters'];
  /** Networks, by id, with a parameter that is not what it should be. */
  readonly onDiffering: (networkIds: readonly string[]) => void;
}

export interface ParameterWatch {
  /** Looks now: an event told that one was changed. */
  look(): void;
  close(): void;
}

export function watchParameters({ readParameter, wanted, onDiffering }: ParameterWatchOptions): ParameterWatch {
  let turn = 0;
  const look = (): void => {
    const all = wanted();
    const global = all.filter(({ parameter }) => !OF_A_LINK.test(parameter.key));
    const ofLinks = all.filter(({ parameter }) => OF_A_LINK.test(parameter.key));
    const some = Array.from({ length: Math.min(MOST_A_TURN, ofLinks.length) }, () => ofLinks[turn++ % ofLinks.length]);
    const differing = [...global, ...some].flatMap((one) => {
      if (one === undefined) return [];
      const now = readIfPossible(one.parameter.key);
      return now === undefined || now === one.parameter.value ? [] : [one.networkId];
    });
    onDiffering([...new Set(differing)]);
  };
  /** A link may go while its parameter is read. */
  const readIfPossible = (key: string): string | undefined => {
    try {
      return readParameter(key);
    } catch {
      return undefined;
    }
  };
  const timer = setInterval(look, POLL_MS).unref();
  return {
    look,
    close: () => {
      clearInterval(timer);
    },
  };
}
