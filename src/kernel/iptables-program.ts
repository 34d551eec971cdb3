/**
 * Runs iptables-save and iptables-restore, and turns what goes wrong into TsnetErrors.
 *
 * Programs start without a shell, from this process: it is in the host's namespace.
 */
import { existsSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';
import type { ProgramCall, ProgramOutcome, RunProgram } from './run-program.ts';

const TIMEOUT_MS = 60_000;
/** Seconds that legacy iptables waits for its own lock, /run/xtables.lock; the nft variant has none. */
const XTABLES_WAIT_SECONDS = 30;

export interface IptablesPrograms {
  /** The output of iptables-save. */
  save(family: Family): Promise<string>;
  /** Runs one restore; resolves to the reason if it was refused. */
  restore(family: Family, text: string, lock: number): Promise<TsnetError | undefined>;
}

/** `variant`: which of two installed variants is meant, where it is not what `iptables` stands for on this host. */
export function iptablesPrograms(run: RunProgram, variant?: 'nft' | 'legacy'): IptablesPrograms {
  const call = async (family: Family, tool: 'save' | 'restore', rest: Omit<ProgramCall, 'file' | 'timeoutMs'>) => {
    const file = `${family === 4 ? 'iptables' : 'ip6tables'}${variant === undefined ? '' : `-${variant}`}-${tool}`;
    try {
      const outcome = await run({ ...rest, file, timeoutMs: TIMEOUT_MS });
      return { file, outcome };
    } catch (error) {
      throw startFailure(file, error);
    }
  };
  return {
    async save(family) {
      const { file, outcome } = await call(family, 'save', { args: [], input: '' });
      if (outcome.status !== 0) throw refusal(family, `read the firewall rules: ${file}`, { outcome });
      return outcome.stdout;
    },
    async restore(family, text, lock) {
      const args = ['--noflush', `--wait=${XTABLES_WAIT_SECONDS}`];
      const { file, outcome } = await call(family, 'restore', { args, input: text, inherit: lock });
      if (outcome.status === 0) return undefined;
      return refusal(family, `change the firewall rules: ${file}`, { outcome, text });
    },
  };
}

function startFailure(file: string, error: unknown): TsnetError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason =
    code === 'ENOENT'
      ? 'the program is not there: install iptables or set "iptables": false in daemon.json'
      : error instanceof Error
        ? error.message
        : String(error);
  return new TsnetError('FIREWALL', `${file}: ${reason}`, { cause: error });
}

/** The line of the restore's input that stderr blames, if it blames one. */
function blamedLine(stderr: string, text: string): string | undefined {
  const number = /line:? (\d+)/i.exec(stderr)?.[1];
  return number === undefined ? undefined : text.split('\n')[Number(number) - 1];
}

function refusal(
  family: Family,
  attempt: string,
  { outcome, text = '' }: { readonly outcome: ProgramOutcome; readonly text?: string },
): TsnetError {
  const cause = new Error(`status ${outcome.status}: ${outcome.stderr.trim()}`);
  if (process.geteuid?.() !== 0) {
    return new TsnetError('PERMISSION', `${attempt}: needs root (CAP_NET_ADMIN)`, { cause });
  }
  if (family === 6 && !existsSync('/proc/net/if_inet6')) {
    const way = 'this kernel has no IPv6: enable it, or create networks without it';
    return new TsnetError('FIREWALL', `${attempt}: ${way}`, { cause });
  }
  const line = blamedLine(outcome.stderr, text);
  const said = outcome.stderr
    .split('\n')
    .map((each) => each.trim())
    .filter((each) => each !== '' && !each.startsWith('#') && !each.startsWith('Try `'));
  const reason = said.at(0) ?? `status ${outcome.status}`;
  return new TsnetError('FIREWALL', `${attempt}: ${reason}${line === undefined ? '' : ` at "${line}"`}`, { cause });
}
