/** `tsnet exec`: a program in the network of a sandbox that is there. */
import { mkdtempSync } from 'node:fs';
import path from 'node:path';
import type { SandboxView as SandboxRecord } from '../engine/engine.ts';
import { startForeground } from '../launch/foreground.ts';
import { LaunchError } from '../launch/launch-error.ts';
import { requirePrivilege } from '../launch/privilege.ts';
import { removeSandboxFiles, writeSandboxFiles } from '../launch/sandbox-files.ts';
import type { SandboxView } from '../launch/sandbox-view.ts';
import { TsnetError } from '../model/error.ts';
import type { Config } from '../model/config.ts';
import type { CliContext } from './context.ts';
import { printWarnings } from './dry-run.ts';
import { USAGE_STATUS } from './errors.ts';
import { resolverOverrides } from './resolver-options.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command
    .argument('<container>', 'name or id of a sandbox')
    .argument('<command...>', 'program and arguments')
    .option('-i, --interactive', 'accepted: standard input is passed on in any case')
    .option('-t, --tty', 'accepted: the terminal is passed on in any case')
    .action(async (container: string, argv: string[]) => {
      try {
        // `exec N -- ls -l`: the operand before the dashes makes commander hand them on.
        await exec(context, container, argv[0] === '--' ? argv.slice(1) : argv);
      } catch (error) {
        context.report(error);
        context.exitWith(error instanceof LaunchError ? error.exitStatus : USAGE_STATUS);
      }
    });
};

async function exec(context: CliContext, container: string, command: readonly string[]): Promise<void> {
  requirePrivilege('exec');
  const config = await context.config();
  const found = await (await context.engine()).inspectSandbox(container);
  const { sandbox } = found;
  if (!found.alive) {
    const [sharer] = found.sharedBy;
    const way = sharer === undefined ? 'run tsnet gc' : `${sharer} is in the same network`;
    throw new TsnetError('NOT_FOUND', `exec in ${sandbox.name}: its process has ended; ${way}`);
  }
  const { view, forget } = sandbox.origin.kind === 'own' ? ownView(found) : foreignView(found, config);
  try {
    const warn = (line: string): void => {
      printWarnings(context, [line]);
    };
    const { ended } = await startForeground({ netns: sandbox.netns, view, warn }, command);
    // Bound files live on in the view when their names are gone.
    forget();
    context.exitWith(await ended);
  } catch (error) {
    forget();
    throw error;
  }
}

interface ViewToForget {
  readonly view: SandboxView;
  readonly forget: () => void;
}

function ownView({ sandbox }: SandboxRecord): ViewToForget {
  if (sandbox.process === undefined) {
    throw new TsnetError('NOT_FOUND', `exec in ${sandbox.name}: it is being created; try again`);
  }
  return { view: { kind: 'shared', pid: sandbox.process.pid }, forget: () => undefined };
}

/**
 * A container of a runtime: its network, with the programs of the host (tcpdump, curl …) and names resolved as the
 * ledger knows them. Its root is not entered: a program of an untrusted image must not run with the rights of the host's
 * root; `docker exec` and its like take them away first.
 */
function foreignView({ sandbox, endpoints }: SandboxRecord, config: Config): ViewToForget {
  const folder = mkdtempSync(path.join(config.execRoot, 'exec-'));
  const forget = (): void => {
    removeSandboxFiles(folder);
  };
  try {
    const files = writeSandboxFiles(folder, { name: sandbox.name, endpoints }, resolverOverrides({}, config));
    return { view: { kind: 'fresh', files, without: path.join(config.execRoot, 'netns') }, forget };
  } catch (error) {
    forget();
    throw error;
  }
}
