/**
 * Finishing or undoing what a dead process began. Every change starts with it; it costs one ledger read when there is
 * nothing to do.
 *
 * | found          | done                                            |
 * | -------------- | ----------------------------------------------- |
 * | attaching      | undone: nobody was told that it is there        |
 * | detaching      | finished: somebody wanted it gone               |
 * | publishing     | the new ports are withdrawn                     |
 * | unpublishing   | the withdrawal is finished                      |
 * | creating       | network or sandbox removed                      |
 * | removing       | finished                                        |
 */
import type { Endpoint, ProcessIdentity } from '../model/records.ts';
import type { Pending } from '../model/ledger.ts';
import { isAtWork, type EngineContext } from './context.ts';
import { detach } from './detach.ts';
import { finishNetworkRemoval } from './finish-network-removal.ts';
import { dismantleSandbox } from './sandbox-life.ts';
import { withdraw } from './withdraw.ts';

export interface Recovered {
  readonly pending: Pending;
  readonly name: string;
  /** What kept it from being recovered. */
  readonly error?: unknown;
}

export interface Abandoned {
  readonly pending: Pending;
  readonly name: string;
  readonly state: string;
}

/** The pending records whose owner is dead. */
export function abandonedRecords(context: EngineContext): Abandoned[] {
  const dead = (owner: ProcessIdentity | undefined): boolean => owner === undefined || !isAtWork(context, owner);
  return context.ledger.read((view) =>
    view.pending().flatMap((pending): Abandoned[] => {
      if (pending.kind === 'endpoint') {
        const endpoint = view.endpoint(pending.id);
        if (endpoint === undefined || !dead(endpoint.owner)) return [];
        const sandbox = view.sandbox(endpoint.sandboxId)?.name ?? endpoint.sandboxId.slice(0, 12);
        const network = view.network(endpoint.networkId)?.name ?? endpoint.networkId.slice(0, 12);
        return [{ pending, name: `${sandbox} on ${network}`, state: endpoint.state }];
      }
      const record = pending.kind === 'network' ? view.network(pending.id) : view.sandbox(pending.id);
      return record === undefined || !dead(record.owner) ? [] : [{ pending, name: record.name, state: record.state }];
    }),
  );
}

export async function recover(context: EngineContext): Promise<Recovered[]> {
  if (abandonedRecords(context).length === 0) return [];
  return context.lock.shared(() => recoverLocked(context));
}

/** The same for a caller that holds the change lock. */
export async function recoverLocked(context: EngineContext): Promise<Recovered[]> {
  const done: Recovered[] = [];
  for (const { pending, name } of abandonedRecords(context)) {
    try {
      await recoverOne(context, pending);
      done.push({ pending, name });
    } catch (error) {
      done.push({ pending, name, error });
    }
  }
  return done;
}

async function recoverOne(context: EngineContext, { kind, id }: Pending): Promise<void> {
  const { ledger } = context;
  switch (kind) {
    case 'endpoint': {
      const endpoint = ledger.read((view) => view.endpoint(id));
      if (endpoint !== undefined) await recoverEndpoint(context, endpoint);
      return;
    }
    case 'network': {
      const network = ledger.read((view) => view.network(id));
      if (network !== undefined) await finishNetworkRemoval(context, network);
      return;
    }
    case 'sandbox': {
      const sandbox = ledger.read((view) => view.sandbox(id));
      if (sandbox !== undefined) await dismantleSandbox(context, sandbox);
      return;
    }
  }
}

async function recoverEndpoint(context: EngineContext, endpoint: Endpoint): Promise<void> {
  switch (endpoint.state) {
    case 'attaching':
    case 'detaching':
      await detach(context, endpoint.id);
      return;
    case 'publishing':
    case 'unpublishing':
      await withdraw(context, endpoint, endpoint.changingPorts ?? []);
      return;
    case 'attached':
      return;
  }
}
