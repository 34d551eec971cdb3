/** `tsnet ps`: the sandboxes that tsnet knows, its own and those of other runtimes. */
import type { SandboxView } from '../engine/engine.ts';
import type { PublishedPort, Sandbox } from '../model/records.ts';
import { elapsedText } from '../model/elapsed.ts';
import { renderList, type ListLayout } from './format.ts';
import type { DefineVerb } from './verbs.ts';

interface PsOptions {
  readonly quiet?: true;
  readonly trunc: boolean;
  readonly format?: string;
}

interface PsRow extends SandboxView {
  readonly now: number;
  readonly truncate: boolean;
}

const SHORT_ID = 12;
const SHORT_COMMAND = 20;

export const define: DefineVerb = (command, context) => {
  command
    .option('-q, --quiet', 'print ids only')
    .option('--no-trunc', 'print ids and commands in full')
    .option('--format <format>', '"table", "json" or a Go template')
    .action(async ({ quiet, trunc, format }: PsOptions) => {
      const sandboxes = await (await context.engine()).listSandboxes();
      const now = Date.now();
      const rows = sandboxes
        .map((view): PsRow => ({ ...view, now, truncate: trunc }))
        .sort((a, b) => b.sandbox.createdAt.localeCompare(a.sandbox.createdAt));
      context.write(quiet ? rows.map((row) => `${idText(row)}\n`).join('') : renderList(LAYOUT, rows, format ?? ''));
    });
};

const LAYOUT: ListLayout<PsRow> = {
  typeName: 'sandboxContext',
  fields: {
    Command: { heading: 'COMMAND', text: commandText },
    CreatedAt: { heading: 'CREATED AT', text: ({ sandbox }) => sandbox.createdAt },
    ID: { heading: 'SANDBOX ID', text: idText },
    Name: { heading: 'NAME', text: ({ sandbox }) => sandbox.name },
    Networks: {
      heading: 'NETWORKS',
      text: ({ endpoints, sharesNetworkOf }) =>
        sharesNetworkOf ?? (endpoints.map(({ networkName }) => networkName).join(',') || 'none'),
    },
    Ports: { heading: 'PORTS', text: ({ endpoints }) => portsText(endpoints.flatMap(({ ports }) => ports)) },
    RunningFor: { heading: 'CREATED', text: (row) => `${sinceText(row)} ago` },
    Status: { heading: 'STATUS', text: statusText },
  },
  columns: ['ID', 'Name', 'Command', 'RunningFor', 'Status', 'Networks', 'Ports'],
};

function idText({ sandbox, truncate }: PsRow): string {
  return truncate ? sandbox.id.slice(0, SHORT_ID) : sandbox.id;
}

function commandText({ sandbox, truncate }: PsRow): string {
  // Control characters in an argument would garble the table.
  const text = (sandbox.command?.join(' ') ?? originText(sandbox)).replace(/\p{Cc}+/gu, ' ');
  const characters = Array.from(text);
  const shown =
    truncate && characters.length > SHORT_COMMAND ? `${characters.slice(0, SHORT_COMMAND - 1).join('')}…` : text;
  return `"${shown}"`;
}

/** A container that tsnet did not start, as `tsnet connect` takes it. */
function originText({ origin }: Sandbox): string {
  switch (origin.kind) {
    case 'own':
      return '';
    case 'netns':
      return origin.path;
    case 'pid':
      return `pid:${origin.pid}`;
    case 'docker':
    case 'podman':
    case 'containerd':
    case 'cni':
    case 'oci':
      return `${origin.kind}:${origin.id.slice(0, SHORT_ID)}`;
    case 'docker-plugin':
      return `docker sandbox ${origin.id.slice(0, SHORT_ID)}`;
  }
}

function sinceText({ sandbox, now }: PsRow): string {
  return elapsedText(now - Date.parse(sandbox.createdAt));
}

function statusText(row: PsRow): string {
  const { state } = row.sandbox;
  if (state === 'creating') return 'Creating';
  if (state === 'removing') return 'Removing';
  if (row.alive) return `Up ${sinceText(row)}`;
  return row.sharedBy.length > 0 ? `Ended, its network kept by ${row.sharedBy.join(', ')}` : 'Dead';
}

/** "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", ranges as "8000-8009->80-89". */
export function portsText(ports: readonly PublishedPort[]): string {
  const range = (first: number, count: number): string => (count === 1 ? `${first}` : `${first}-${first + count - 1}`);
  return ports
    .map(({ hostAddress, hostPort, containerPort, count, protocol }) => {
      const address = hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
      return `${address}:${range(hostPort, count)}->${range(containerPort, count)}/${protocol}`;
    })
    .join(', ');
}
