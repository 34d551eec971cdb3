/**
 * The store of a cluster in this process, shared by as many hosts as a test plays, with every fault that a real one has.
 *
 *   const cluster = new MemoryCluster();
 *   const [a, b] = [cluster.host(), cluster.host()];
 *   a.cut(); // a's calls fail, its watches are stale, its session runs out; b sees its keys go
 *
 * Time is that of `setTimeout` and `performance.now()`, so fake timers move it.
 */
import type { StoreEvent, StoredItem, StoreSnapshot, StoreTransaction } from '../../src/model/cluster-store.ts';
import { isDirectlyIn } from '../../src/store/cluster/check-request.ts';
import { MemoryHost, type MemoryHostOptions } from './memory-host.ts';

interface Change {
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

interface Kept extends StoredItem {
  readonly session?: string;
}

export class MemoryCluster {
  readonly #items = new Map<string, Kept>();
  readonly #hosts = new Set<MemoryHost>();
  readonly #sessions = new Set<string>();
  #history: Change[] = [];
  #revision = 1;
  #compactedTo = 0;
  #sessionCounter = 0;
  #isStopped = false;

  /** The store as one more host has it. */
  host(options: MemoryHostOptions = {}): MemoryHost {
    const host = new MemoryHost(this, options);
    this.#hosts.add(host);
    if (this.#isStopped) host.cut('refused');
    return host;
  }

  /** Nobody reaches it any more: the server is gone. Sessions stand still, as those of etcd do while it is down. */
  stop(): void {
    this.#isStopped = true;
    for (const host of this.#hosts) host.cut('refused');
  }

  /** It is back, with all that it had. */
  start(): void {
    this.#isStopped = false;
    for (const host of this.#hosts) host.heal();
  }

  /** Forgets what happened up to now: a watch that did not see it is told everything again. */
  compact(): void {
    this.#history = [];
    this.#compactedTo = this.#revision;
  }

  /** All keys and values. */
  contents(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#items.values()].map(({ key, value }) => [key, value] as const).sort());
  }

  get revision(): number {
    return this.#revision;
  }

  get(key: string): StoredItem | undefined {
    const kept = this.#items.get(key);
    return kept === undefined ? undefined : withoutSession(kept);
  }

  list(prefix: string): StoreSnapshot {
    const items = [...this.#items.values()].filter(({ key }) => isDirectlyIn(key, prefix)).map(withoutSession);
    return { items, token: String(this.#revision) };
  }

  /** Undefined when an expectation does not hold. */
  transact({ expect, operations }: StoreTransaction): { readonly token: string } | undefined {
    const holds = expect.every(({ key, revision }) => this.#items.get(key)?.revision === revision);
    if (!holds) return undefined;
    const ofDeadSession = operations.some(
      (operation) =>
        operation.kind === 'put' && operation.session !== undefined && !this.#sessions.has(operation.session.id),
    );
    if (ofDeadSession) throw new Error('session not found');
    const revision = this.#revision + 1;
    const events = operations.flatMap((operation): StoreEvent[] => {
      const { kind, key } = operation;
      if (kind === 'delete') return this.#items.delete(key) ? [{ kind: 'deleted', key }] : [];
      const item = { key, value: operation.value, revision: String(revision) };
      this.#items.set(key, operation.session === undefined ? item : { ...item, session: operation.session.id });
      return [{ kind: 'put', item }];
    });
    if (events.length > 0) {
      this.#revision = revision;
      this.#history.push({ revision, events });
      for (const host of this.#hosts) host.changed();
    }
    return { token: String(this.#revision) };
  }

  /** What happened in a directory after `token`; undefined when that is forgotten. */
  since(prefix: string, token: string): readonly StoreEvent[] | undefined {
    const seen = Number(token);
    if (!(seen >= this.#compactedTo)) return undefined;
    return this.#history
      .filter(({ revision }) => revision > seen)
      .flatMap(({ events }) => events)
      .filter((event) => isDirectlyIn(event.kind === 'put' ? event.item.key : event.key, prefix));
  }

  openSession(): string {
    const id = `session-${++this.#sessionCounter}`;
    this.#sessions.add(id);
    return id;
  }

  endSession(id: string): void {
    if (!this.#sessions.delete(id)) return;
    const gone = [...this.#items.values()].filter(({ session }) => session === id);
    this.transact({ expect: [], operations: gone.map(({ key }) => ({ kind: 'delete', key })) });
  }
}

function withoutSession({ key, value, revision }: Kept): StoredItem {
  return { key, value, revision };
}
