/** `tsnet cluster ls` shows the hosts of the cluster, `tsnet cluster rm` takes away what one that will not come back has. */
import type { ClusterHost, RemovedHost } from '../engine/cluster.ts';
import { elapsedText } from '../model/elapsed.ts';
import { TsnetError } from '../model/error.ts';
import type { CliContext } from './context.ts';
import { rehearsal, type ChangeOptions } from './dry-run.ts';
import { renderList, type ListLayout } from './format.ts';
import { naturalOrder } from './natural-order.ts';
import { addDryRun } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface LsOptions {
  readonly quiet?: true;
  readonly format?: string;
}

interface RmOptions extends ChangeOptions {
  readonly force?: true;
}

export const define: DefineVerb = (command, context) => {
  command
    .command('ls')
    .alias('list')
    .description('List the hosts of the cluster, with what they have in its networks.')
    .option('-q, --quiet', 'print ids only')
    .option('--format <format>', '"table", "json" or a Go template')
    .action((options: LsOptions) => ls(options, context));
  addDryRun(
    command
      .command('rm')
      .alias('remove')
      .description('Take away at once what hosts have that will not come back. A host that is alive is refused.')
      .argument('<host...>', 'names or ids')
      .option('-f, --force', 'also one that is silent for a moment only, or missing with many; none is no error'),
  ).action((hosts: string[], options: RmOptions) => rm(hosts, options, context));
};

async function ls({ quiet, format = '' }: LsOptions, context: CliContext): Promise<void> {
  const hosts = await (await context.engine()).listClusterHosts();
  const now = Date.now();
  const rows = hosts
    .map((host): HostRow => ({ ...host, now }))
    .toSorted((a, b) => naturalOrder(a.name, b.name) || naturalOrder(a.address ?? '', b.address ?? ''));
  context.write(quiet ? rows.map(({ id }) => `${id}\n`).join('') : renderList(LAYOUT, rows, format));
}

async function rm(hosts: readonly string[], options: RmOptions, context: CliContext): Promise<void> {
  const { force, format, dryRun } = options;
  const engine = await context.engine();
  for (const host of hosts) {
    try {
      const removed = await engine.removeClusterHost({ host, ...(force ? { force } : {}), ...rehearsal(options) });
      const done = dryRun ? 'would give back' : 'gave back';
      const { id, name } = removed;
      context.write(
        format === 'json' ? `${JSON.stringify(removed)}\n` : `${name} (${id}): ${done} ${holdingsText(removed)}\n`,
      );
    } catch (error) {
      if (force && error instanceof TsnetError && error.code === 'NOT_FOUND') continue;
      context.report(error);
    }
  }
}

interface HostRow extends ClusterHost {
  readonly now: number;
}

const LAYOUT: ListLayout<HostRow> = {
  typeName: 'hostContext',
  columns: ['ID', 'Name', 'Address', 'Status', 'Networks', 'Addresses', 'Blocks'],
  fields: {
    Address: { heading: 'ADDRESS', text: ({ address }) => address ?? '-' },
    Addresses: { heading: 'ADDRESSES', text: (host) => String(addressesOf(host)) },
    Blocks: { heading: 'BLOCKS', text: (host) => String(blocksOf(host).length) },
    ID: { heading: 'HOST ID', text: ({ id }) => id },
    Name: { heading: 'NAME', text: ({ name }) => name },
    Networks: { heading: 'NETWORKS', text: ({ networks }) => networks.map(({ network }) => network).join(',') },
    SilentSince: { heading: 'SILENT SINCE', text: ({ silentSince }) => silentSince ?? '' },
    Status: { heading: 'STATUS', text: statusText },
  },
};

/** "alive", "dead for 5 minutes"; without a time, it went before this host could see. */
function statusText({ state, isSelf, silentSince, now }: HostRow): string {
  if (isSelf) return 'alive (this host)';
  if (state === 'alive' || silentSince === undefined) return state;
  return `${state} for ${elapsedText(now - Date.parse(silentSince)).toLowerCase()}`;
}

function addressesOf({ networks }: Pick<ClusterHost, 'networks'>): number {
  return networks.reduce((sum, { addresses }) => sum + addresses, 0);
}

function blocksOf({ networks }: Pick<ClusterHost, 'networks'>): string[] {
  return networks.flatMap(({ blocks }) => blocks);
}

const MOST_NAMED = 5;

/** "2 addresses and 1 block (10.77.3.0/24) in ov". */
function holdingsText(removed: RemovedHost): string {
  const [addresses, blocks] = [addressesOf(removed), blocksOf(removed)];
  const some = blocks.length > MOST_NAMED ? [...blocks.slice(0, MOST_NAMED), '…'] : blocks;
  const parts = [
    ...(addresses > 0 ? [counted(addresses, 'address', 'addresses')] : []),
    ...(blocks.length > 0 ? [`${counted(blocks.length, 'block', 'blocks')} (${some.join(', ')})`] : []),
  ];
  if (parts.length === 0) return 'nothing';
  return `${parts.join(' and ')} in ${removed.networks.map(({ network }) => network).join(', ')}`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
