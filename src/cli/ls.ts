/** `tsnet ls`: the networks, as `docker network ls` shows them. */
import type { NetworkFilters } from '../engine/engine.ts';
import type { Network } from '../model/records.ts';
import type { CliContext } from './context.ts';
import { renderList, type ListLayout } from './format.ts';
import { naturalOrder } from './natural-order.ts';
import { collectFilters } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface LsOptions {
  readonly quiet?: true;
  readonly trunc: boolean;
  readonly filter?: NetworkFilters;
  readonly format?: string;
}

export const define: DefineVerb = (command, context) => {
  command
    .option('-q, --quiet', 'print ids only')
    .option('--no-trunc', 'print ids in full')
    .option('-f, --filter <key=value>', 'driver, id, name, label, scope, type, dangling', collectFilters)
    .option('--format <format>', 'table, json, raw, "table TEMPLATE" or a Go template')
    .action((options: LsOptions) => ls(options, context));
};

async function ls({ quiet, trunc, filter = {}, format = 'table' }: LsOptions, context: CliContext): Promise<void> {
  const engine = await context.engine();
  const networks = (await engine.listNetworks(filter)).toSorted((a, b) => naturalOrder(a.name, b.name));
  const layout = networkLayout((id) => (trunc ? id.slice(0, 12) : id));
  context.write(renderList(layout, networks, rowFormat(format, quiet === true)));
}

function rowFormat(format: string, quiet: boolean): string {
  if (format === 'raw') {
    return quiet
      ? 'network_id: {{.ID}}'
      : 'network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n';
  }
  return quiet && format === 'table' ? '{{.ID}}' : format;
}

function networkLayout(showId: (id: string) => string): ListLayout<Network> {
  return {
    typeName: '*network.networkContext',
    columns: ['ID', 'Name', 'Driver', 'Scope'],
    fields: {
      CreatedAt: { heading: 'CREATED AT', text: ({ createdAt }) => goTime(createdAt) },
      Driver: { heading: 'DRIVER', text: ({ driver }) => driver },
      ID: { heading: 'NETWORK ID', text: ({ id }) => showId(id) },
      IPv4: { heading: 'IPV4', text: ({ enableIPv4 }) => String(enableIPv4) },
      IPv6: { heading: 'IPV6', text: ({ enableIPv6 }) => String(enableIPv6) },
      Internal: { heading: 'INTERNAL', text: ({ internal }) => String(internal) },
      Labels: { heading: 'LABELS', text: ({ labels }) => labelText(labels) },
      Name: { heading: 'NAME', text: ({ name }) => name },
      Scope: { heading: 'SCOPE', text: ({ scope }) => scope },
    },
    methods: {
      Label: {
        text: ({ labels }, key) => (Object.hasOwn(labels, key) ? (labels[key] ?? '') : ''),
        heading: (key) => (key.split('.').at(-1) ?? '').replace(/[-_]/g, ' '),
      },
    },
  };
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

/** RFC 3339 in UTC as Go's time prints itself: "2026-01-02 03:04:05.6 +0000 UTC". */
export function goTime(rfc3339: string): string {
  const [, day, clock, fraction = ''] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z$/.exec(rfc3339) ?? [];
  if (day === undefined || clock === undefined) return rfc3339;
  return `${day} ${clock}${fraction.replace(/\.?0+$/, '')} +0000 UTC`;
}
