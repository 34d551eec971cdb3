/** `tsnet events`: what happens to networks, line by line, as `docker events` prints it. The daemon sees it; a command does not. */
import { TsnetError } from '../model/error.ts';
import { momentMs } from '../model/moment.ts';
import { findDaemon } from '../wiring/find-daemon.ts';
import type { NetworkFilters } from '../engine/engine.ts';
import type { CliContext } from './context.ts';
import { explained } from './format.ts';
import { compileTemplate } from './go-template/template.ts';
import { fromJson } from './go-template/value.ts';
import { collectFilters } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface EventsOptions {
  readonly since?: string;
  readonly until?: string;
  readonly filter?: NetworkFilters;
  readonly format?: string;
}

/** A message of `GET /events`, as far as it is printed. */
interface EventMessage {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

export const define: DefineVerb = (command, context) => {
  command
    .option('--since <time>', 'with what was since then: a duration ("10m"), Unix seconds or RFC 3339')
    .option('--until <time>', 'and no further')
    .option('-f, --filter <key=value>', 'container, event, label, network, scope, type', collectFilters)
    .option('--format <format>', 'json or a Go template')
    .action((options: EventsOptions) => followEvents(options, context));
};

async function followEvents(options: EventsOptions, context: CliContext): Promise<void> {
  const show = renderer(options.format ?? '');
  const query = new URLSearchParams({
    ...(options.since === undefined ? {} : { since: seconds('since', options.since) }),
    ...(options.until === undefined ? {} : { until: seconds('until', options.until) }),
    ...(options.filter === undefined ? {} : { filters: JSON.stringify(options.filter) }),
  });
  const { hosts } = await context.config();
  const socket = await findDaemon(hosts, context.configRequest().host !== undefined);
  if (socket === undefined) {
    throw new TsnetError(
      'RUNTIME',
      'follow events: no daemon answers, and nobody else sees them; start `tsnet daemon`',
    );
  }
  const { followLines } = await import('../client/follow-lines.ts');
  const { ended, stop } = followLines({
    socket,
    path: `/events?${query.toString()}`,
    onLine: (line) => {
      context.write(`${show(line)}\n`);
    },
  });
  context.onUnread(stop);
  await ended;
}

/** Unix seconds, as they were typed where they were: nanoseconds do not go through a number. */
function seconds(option: string, text: string): string {
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const ms = momentMs(text, Date.now());
  if (ms !== undefined) return (ms / 1000).toFixed(3);
  throw new TsnetError(
    'INVALID',
    `--${option} ${text}: expected a duration ("10m", "1h30m"), Unix seconds or an RFC 3339 time`,
  );
}

function renderer(format: string): (line: string) => string {
  if (format === 'json') return (line) => line;
  if (format === '') return eventLine;
  const template = explained(() => compileTemplate(format.replaceAll('\\t', '\t').replaceAll('\\n', '\n')));
  return (line) => explained(() => template.render(fromJson(JSON.parse(line)), { missingKeyIsError: true }));
}

/** "2026-01-02T03:04:05.678000000+01:00 network connect 4f1… (container=…, name=web, type=bridge)" */
export function eventLine(line: string): string {
  const { Type, Action, Actor } = JSON.parse(line) as EventMessage;
  const attributes = Object.entries(Actor.Attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const told = attributes.length > 0 ? ` (${attributes.join(', ')})` : '';
  return `${localTime(nanoseconds(line))} ${Type} ${Action} ${Actor.ID}${told}`;
}

/** Wider than a number of ours, so read off the text; it stands at the end. */
function nanoseconds(line: string): bigint {
  return BigInt(/"timeNano":(\d+)\}$/.exec(line)?.[1] ?? 0);
}

/** RFC 3339 with nine decimals in the time zone of the reader. */
function localTime(timeNano: bigint): string {
  const ms = Number(timeNano / 1_000_000n);
  const ahead = -new Date(ms).getTimezoneOffset();
  const [day = '', clock = ''] = new Date(ms + ahead * 60_000).toISOString().split(/[T.]/);
  const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
  const size = Math.abs(ahead);
  const zone = ahead === 0 ? 'Z' : `${ahead < 0 ? '-' : '+'}${two(size / 60)}:${two(size % 60)}`;
  return `${day}T${clock}.${String(timeNano % 1_000_000_000n).padStart(9, '0')}${zone}`;
}
