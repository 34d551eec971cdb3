/** `tsnet run`: a program in a fresh sandbox that goes when the program ends. */
import path from 'node:path';
import type { Engine, SandboxView } from '../engine/engine.ts';
import { launchError, LaunchError } from '../launch/launch-error.ts';
import { logPath, sandboxFolder } from '../launch/sandbox-files.ts';
import { requirePrivilege } from '../launch/privilege.ts';
import type { SandboxPlace } from '../launch/sandbox-view.ts';
import type { Config } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import { attachmentsOf, parseNetworkOption, type Attachment, type FirstAttachmentOptions } from './attachments.ts';
import type { CliContext } from './context.ts';
import { printWarnings } from './dry-run.ts';
import { UsageError, USAGE_STATUS } from './errors.ts';
import { address, collect, collectList } from './options.ts';
import {
  collectAddress,
  collectDomain,
  collectResolverOption,
  parseHostname,
  resolverOverrides,
  type ResolverOptions,
} from './resolver-options.ts';
import { runFiles } from './run-files.ts';
import { removeOwnSandbox } from './sandbox-removal.ts';
import type { DefineVerb } from './verbs.ts';

interface RunOptions extends FirstAttachmentOptions, ResolverOptions {
  readonly name?: string;
  readonly network?: readonly Attachment[];
  readonly hostname?: string;
  readonly detach?: true;
}

export const define: DefineVerb = (command, context) => {
  command
    .argument('<command...>', 'program and arguments; found as a shell finds it')
    .option('--name <name>', 'name of the sandbox (default: the first 12 digits of its id)')
    .option(
      '--network <network>',
      'network to join, "host", "none", container:NAME, or name=NETWORK,ip=…,alias=…,mac-address=…,gw-priority=…; repeatable (default: bridge)',
      (value: string, earlier: readonly Attachment[] | undefined) => [...(earlier ?? []), parseNetworkOption(value)],
    )
    .option('--ip <address>', 'IPv4 address on the first network', address)
    .option('--ip6 <address>', 'IPv6 address on the first network', address)
    .option('--mac-address <mac>', 'MAC address on the first network')
    .option('--alias <name>', 'another name on the first network; repeatable', collectList)
    .option('-p, --publish <ports>', '[IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]; repeatable', collect)
    .option('--dns <address>', 'nameserver; repeatable', collectAddress)
    .option('--dns-search <domain>', 'search domain, "." for none; repeatable', collectDomain)
    .option('--dns-option <option>', 'option of resolv.conf; repeatable', collectResolverOption)
    .option('-h, --hostname <name>', 'host name of its own (default: the name of this host)', parseHostname)
    .option('-d, --detach', 'leave it running, print the id')
    .option('-i, --interactive', 'accepted: standard input is passed on in any case')
    .option('-t, --tty', 'accepted: the terminal is passed on in any case')
    .option('--rm', 'accepted: a sandbox always goes with its program')
    .helpOption('--help', 'show help')
    .action(async (argv: string[], options: RunOptions) => {
      try {
        await run(context, argv, options);
      } catch (error) {
        // The status is the program's to choose, so what goes wrong before it runs has numbers of its own, as in `docker run`.
        context.report(error);
        context.exitWith(error instanceof LaunchError ? error.exitStatus : USAGE_STATUS);
      }
    });
};

async function run(context: CliContext, command: readonly string[], options: RunOptions): Promise<void> {
  const attach = attachmentsOf(options.network ?? [], options);
  // Found out here, it costs nothing to undo.
  if (command[0] === '') throw launchError('', 'ENOENT');
  refuseForeignFiles(attach, options);
  requirePrivilege('run');
  const config = await context.config();
  const engine = await context.engine();
  const created = await engine.createSandbox({
    ...(options.name === undefined ? {} : { name: options.name }),
    command,
    resolver: resolverOverrides(options, config),
    attach,
  });
  const { sandbox } = created;
  printWarnings(context, created.warnings);
  let launched: Launched;
  try {
    const place = await preparePlace(context, { engine, created, options, config });
    launched = await (options.detach ? detached : foreground)({ context, config, engine, created, place, command });
  } catch (error) {
    await undo(error, () => removeOwnSandbox(engine, sandbox.id, config.execRoot));
    throw error;
  }
  if (launched.kind === 'detached') {
    context.write(`${sandbox.id}\n`);
    return;
  }
  context.exitWith(await launched.ended);
  await removeOwnSandbox(engine, sandbox.id, config.execRoot);
}

/** Who shares a network sees the files that belong to it. */
function refuseForeignFiles(attach: readonly Attachment[], { dns, dnsSearch, dnsOption, hostname }: RunOptions): void {
  const shared = attach.find(({ network }) => network === 'host' || network.startsWith('container:'))?.network;
  if (shared === undefined) return;
  if (dns !== undefined || dnsSearch !== undefined || dnsOption !== undefined) {
    throw new UsageError(
      `--dns, --dns-search and --dns-option go with a network of its own, not with --network ${shared}`,
    );
  }
  if (hostname !== undefined && shared !== 'host') {
    throw new UsageError(`--hostname goes with a network of its own, not with --network ${shared}`);
  }
}

/** A launch that failed stays the error to tell; what its undoing met is added. */
async function undo(error: unknown, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (second) {
    const [first, then] = [error, second].map((each) => (each instanceof Error ? each.message : String(each)));
    const cause = new AggregateError([error, second]);
    throw new TsnetError('KERNEL', `${first}; undoing it failed too (${then}): run \`tsnet gc\``, { cause });
  }
}

async function preparePlace(
  context: CliContext,
  {
    engine,
    created,
    options,
    config,
  }: {
    readonly engine: Engine;
    readonly created: SandboxView;
    readonly options: RunOptions;
    readonly config: Config;
  },
): Promise<SandboxPlace> {
  const { sandbox } = created;
  const hostname = options.hostname === undefined ? {} : { hostname: options.hostname };
  const files = await runFiles({ engine, created, config, hostname, overrides: resolverOverrides(options, config) });
  return {
    netns: sandbox.netns,
    view: { kind: 'fresh', files, without: path.join(config.execRoot, 'netns'), ...hostname },
    warn: (line) => {
      printWarnings(context, [line]);
    },
  };
}

interface Launch {
  readonly context: CliContext;
  readonly config: Config;
  readonly engine: Engine;
  readonly created: SandboxView;
  readonly place: SandboxPlace;
  readonly command: readonly string[];
}

type Launched = { readonly kind: 'detached' } | { readonly kind: 'foreground'; readonly ended: Promise<number> };

async function foreground({ engine, created, place, command }: Launch): Promise<Launched> {
  const { startForeground } = await import('../launch/foreground.ts');
  const { pid, ended } = await startForeground(place, command);
  try {
    await engine.adoptProcess(created.sandbox.id, pid);
  } catch (error) {
    // A program as short as `true` may have ended by now, which is no failure.
    if (!(error instanceof TsnetError && error.code === 'NOT_FOUND')) throw error;
  }
  return { kind: 'foreground', ended };
}

async function detached({ context, config, engine, created, place, command }: Launch): Promise<Launched> {
  const { startDetached } = await import('../launch/detached.ts');
  const { sandbox } = created;
  await startDetached(place, {
    command,
    log: logPath(sandboxFolder(config.execRoot, sandbox.id)),
    reap: reapCommand(context, config, sandbox.id),
    adopt: (pid) => engine.adoptProcess(sandbox.id, pid),
  });
  return { kind: 'detached' };
}

/** This same program, told the same places; the undertaker runs it from /, so nothing in it is relative. */
function reapCommand(context: CliContext, config: Config, id: string): string[] {
  const { host } = context.configRequest();
  return [
    process.execPath,
    path.resolve(process.argv[1] ?? ''),
    ...(config.file === undefined ? [] : ['--config', path.resolve(config.file)]),
    ...['--data-root', path.resolve(config.dataRoot), '--exec-root', path.resolve(config.execRoot)],
    ...(host === undefined ? [] : ['--host', host]),
    '__reap',
    id,
  ];
}
