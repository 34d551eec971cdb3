/**
 * The `tsnet` program: finds the verb, loads its file, has commander parse the rest, and turns every ending into an exit
 * status. It touches no process global: `main.ts` hands in streams and environment, tests hand in their own.
 */
import { Command, CommanderError } from 'commander';
import type { ConfigRequest } from '../config/load.ts';
import type { Engine } from '../engine/engine.ts';
import type { Config } from '../model/config.ts';
import type { CliContext } from './context.ts';
import { errorLines, exitStatusOf, USAGE_STATUS, UsageError } from './errors.ts';
import { findVerb, VERBS, type VerbEntry } from './verbs.ts';
import { VERSION } from '../wiring/version.ts';

/** What the program needs of the outside. */
export interface CliHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly write: (text: string) => void;
  readonly writeError: (text: string) => void;
  /** Has `stop` called when nobody reads what is written any more. */
  readonly onUnread?: (stop: () => void) => void;
  readonly ask: (question: string) => Promise<string | undefined>;
  /** `insist`: the daemon was named, so nobody else will do. */
  readonly openEngine: (config: Config, how: { readonly insist: boolean }) => Promise<Engine>;
}

/** Runs one command line (without node and script); its exit status. Never throws. */
export async function runCli(argv: readonly string[], host: CliHost): Promise<number> {
  const run = new Run(host);
  try {
    await run.parse(argv);
  } catch (error) {
    run.fail(error);
  }
  await run.close();
  return run.status;
}

interface GlobalOptions {
  readonly config?: string;
  readonly dataRoot?: string;
  readonly execRoot?: string;
  readonly host?: string;
  readonly debug?: true;
}

/** One run of the program: its lazily read configuration, its lazily opened engine, its exit status. */
class Run {
  status = 0;
  readonly #host: CliHost;
  readonly #program: Command;
  readonly #context: CliContext;
  #command: Command | undefined;
  #verb: VerbEntry | undefined;
  #config: Promise<Config> | undefined;
  #engine: Promise<Engine> | undefined;

  constructor(host: CliHost) {
    this.#host = host;
    this.#program = makeProgram(host);
    this.#context = {
      env: host.env,
      write: host.write,
      writeError: (line) => {
        host.writeError(`${line}\n`);
      },
      onUnread: (stop) => host.onUnread?.(stop),
      ask: host.ask,
      configRequest: () => this.#configRequest(),
      config: () => (this.#config ??= this.#readConfig()),
      engine: () => (this.#engine ??= this.#openEngine()),
      report: (error) => {
        this.#report(error);
      },
      exitWith: (status) => {
        this.status = status;
      },
    };
  }

  async parse(argv: readonly string[]): Promise<void> {
    const verb = findVerb(firstOperand(argv) ?? '');
    this.#verb = verb;
    // Help and mistakes need the names of all verbs; a known verb only itself.
    for (const entry of verb === undefined ? VERBS : [verb]) {
      const command = await this.#add(entry, verb !== undefined || argv.includes('help'));
      if (entry === verb) this.#command = command;
    }
    if (argv.length === 0) {
      this.#host.writeError(this.#program.helpInformation());
      this.status = USAGE_STATUS;
      return;
    }
    const args = this.#command === undefined || verb?.passThrough ? argv : withoutBooleanValues(argv, this.#command);
    await this.#program.parseAsync(args, { from: 'user' });
  }

  async #add(verb: VerbEntry, load: boolean): Promise<Command> {
    const command = this.#program.command(verb.name, { hidden: verb.hidden === true });
    command.summary(verb.summary).description(`${verb.summary}.`);
    for (const alias of verb.aliases ?? []) command.alias(alias);
    if (verb.passThrough && load) {
      this.#program.enablePositionalOptions();
      command.passThroughOptions();
    }
    if (load) (await verb.load()).define(command, this.#context);
    return command;
  }

  #configRequest(): ConfigRequest {
    const { config, ...rest } = this.#program.opts<GlobalOptions>();
    return { ...(config === undefined ? {} : { file: config }), ...rest, env: this.#host.env };
  }

  async #readConfig(): Promise<Config> {
    const { loadConfig } = await import('../config/load.ts');
    return loadConfig(this.#configRequest());
  }

  async #openEngine(): Promise<Engine> {
    const { host } = this.#program.opts<GlobalOptions>();
    return this.#host.openEngine(await this.#context.config(), {
      insist: host !== undefined && this.#verb?.hidden !== true,
    });
  }

  #report(error: unknown): void {
    const debug = this.#program.opts<GlobalOptions>().debug === true;
    this.#host.writeError(errorLines(error, debug).join('\n') + '\n');
    if (this.status === 0) this.status = exitStatusOf(error);
  }

  /** How a command ended that threw. */
  fail(error: unknown): void {
    if (!(error instanceof CommanderError)) {
      this.#report(error);
      return;
    }
    // Help and version are endings too, for commander.
    if (error.exitCode === 0) return;
    if (error.code === 'commander.help') {
      this.status = USAGE_STATUS;
      return;
    }
    const name = this.#command === undefined ? 'tsnet' : `tsnet ${this.#command.name()}`;
    const mistake = error.message
      .replace(/^error: /, '')
      .replaceAll('\n', ' ')
      .replace(/\.$/, '');
    this.#report(new UsageError(`${mistake}; see "${name} --help"`));
    if (/argument/i.test(error.code) && this.#command !== undefined && !/option/.test(error.message)) {
      this.#host.writeError(`Usage: ${this.#command.createHelp().commandUsage(this.#command)}\n`);
    }
  }

  async close(): Promise<void> {
    try {
      await (await this.#engine)?.close();
    } catch (error) {
      // An engine that did not open has been reported; one that does not close is.
      if (this.status === 0) this.#report(error);
    }
  }
}

function makeProgram(host: CliHost): Command {
  return new Command('tsnet')
    .description('Container networking for any runtime on Linux.')
    .usage('[OPTIONS] COMMAND')
    .option('--config <file>', 'read this daemon.json (TSNET_CONFIG; default /etc/tsnet/daemon.json)')
    .option('--data-root <dir>', 'where networks are kept (TSNET_DATA_ROOT)')
    .option('--exec-root <dir>', 'where sandboxes and endpoints are kept (TSNET_EXEC_ROOT)')
    .option('-H, --host <address>', 'socket of the daemon, unix://… (TSNET_HOST)')
    .option('--debug', 'show the causes of errors')
    .version(`tsnet ${VERSION}`, '-v, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .configureHelp({ sortOptions: false })
    .configureOutput({ writeOut: host.write, writeErr: host.writeError, outputError: () => undefined })
    .showSuggestionAfterError()
    .exitOverride();
}

const OPTIONS_WITH_VALUE = new Set(['--config', '--data-root', '--exec-root', '-H', '--host']);

/** The first word that is neither a global option nor the value of one. */
export function firstOperand(argv: readonly string[]): string | undefined {
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (OPTIONS_WITH_VALUE.has(word)) index++;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

/** `--internal=true` and `--ipv4=false`, as Docker's flags take them, in the words of commander. */
function withoutBooleanValues(argv: readonly string[], command: Command): string[] {
  const flags = new Set(
    command.options.filter((option) => option.isBoolean() && !option.negate).map(({ long }) => long),
  );
  const negations = new Set(command.options.filter(({ negate }) => negate).map(({ long }) => long));
  const end = argv.indexOf('--');
  return argv.flatMap((word, index) => {
    const [, flag, value] = /^(--[a-z0-9-]+)=(true|t|1|false|f|0)$/i.exec(word) ?? [];
    if (flag === undefined || value === undefined || !flags.has(flag) || (end !== -1 && index > end)) return [word];
    if (/^[t1]/i.test(value)) return [flag];
    const negation = flag.replace('--', '--no-');
    return negations.has(negation) ? [negation] : [];
  });
}
