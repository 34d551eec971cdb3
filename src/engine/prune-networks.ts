/** `tsnet prune`: removes the networks that somebody created and nobody uses. Docker's own are Docker's to prune. */
import { TsnetError } from '../model/error.ts';
import { momentMs } from '../model/moment.ts';
import type { Network } from '../model/records.ts';
import type { EngineContext } from './context.ts';
import type { NetworkFilters, PruneRequest } from './engine.ts';
import { collectDead } from './gc.ts';
import { hasLabel } from './list-networks.ts';
import { removeNetwork } from './remove-network.ts';
import { reason } from './undo.ts';

function untilMs(text: string, nowMs: number): number {
  const moment = momentMs(text, nowMs);
  if (moment !== undefined) return moment;
  throw new TsnetError(
    'INVALID',
    `filter until=${text}: expected a duration ("10m", "1h30m"), Unix seconds or an RFC 3339 time`,
  );
}

function selects(filters: NetworkFilters, nowMs: number): (network: Network) => boolean {
  const tests = Object.entries(filters).map(([key, values]): ((network: Network) => boolean) => {
    switch (key) {
      case 'until': {
        const [until, ...more] = values;
        if (until === undefined || more.length > 0) throw new TsnetError('INVALID', 'filter until: give it once');
        const limit = untilMs(until, nowMs);
        return ({ createdAt }) => Date.parse(createdAt) < limit;
      }
      case 'label':
        return ({ labels }) => values.every((value) => hasLabel(labels, value));
      case 'label!':
        return ({ labels }) => !values.some((value) => hasLabel(labels, value));
      default:
        throw new TsnetError('INVALID', `filter ${key}: there is no such filter; filters: until, label, label!`);
    }
  });
  return (network) => tests.every((test) => test(network));
}

export interface PruneAnswer {
  readonly removed: readonly string[];
  readonly failed: readonly { name: string; reason: string }[];
}

export async function pruneNetworks(context: EngineContext, request: PruneRequest): Promise<PruneAnswer> {
  const wanted = selects(request.filters ?? {}, context.now());
  if (request.dryRun !== true) await collectDead(context);
  const unused = context.ledger.read((view) =>
    view
      .networks()
      .filter(
        ({ id, predefined, docker, state }) =>
          !predefined && docker === undefined && state === 'active' && !view.hasEndpoints(id),
      )
      .filter(wanted),
  );
  const removed: string[] = [];
  const failed: { name: string; reason: string }[] = [];
  for (const { id, name } of unused) {
    try {
      if (request.dryRun !== true) await removeNetwork(context, { network: id });
      removed.push(name);
    } catch (error) {
      failed.push({ name, reason: reason(error) });
    }
  }
  return { removed, failed };
}
