/**
 * Signals that reach tsnet while a command runs in the foreground belong to the command.
 *
 * With a terminal, the command stays in our process group, so that job control works on both as one. What the terminal
 * sends (^C, ^\, a resize) it sends to the whole group: the command has it already, and we only must not die of it, as
 * system(3) does. Without a terminal the command gets a session of its own: what somebody sends to our group (timeout(1),
 * a CI runner) reaches the command through us alone, once.
 *
 * SIGTSTP is left alone: it stops us with our group, and SIGCONT starts both again.
 */
import { processFacts } from './process-table.ts';

const FROM_TERMINAL = ['SIGINT', 'SIGQUIT', 'SIGWINCH'] as const;
const ALWAYS_RELAYED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** Whether we have a controlling terminal, in the foreground of it or not. */
export function hasTerminal(): boolean {
  return (processFacts('self')?.terminal ?? 0) !== 0;
}

function isInForeground(): boolean {
  const facts = processFacts('self');
  return facts !== undefined && facts.terminal !== 0 && facts.foregroundGroup === facts.processGroup;
}

/** Takes over our signals and hands them to `deliver`, until `stop` is called. */
export function relaySignals(deliver: (signal: NodeJS.Signals) => void): { readonly stop: () => void } {
  const listeners = new Map<NodeJS.Signals, () => void>();
  for (const signal of ALWAYS_RELAYED) {
    listeners.set(signal, () => {
      deliver(signal);
    });
  }
  for (const signal of FROM_TERMINAL) {
    listeners.set(signal, () => {
      if (!isInForeground()) deliver(signal);
    });
  }
  // A command in a session of its own is not continued with our group; one in our group is continued twice, which is once.
  listeners.set('SIGCONT', () => {
    deliver('SIGCONT');
  });
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return {
    stop: () => {
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}
