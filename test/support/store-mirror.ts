/** What a reader of a directory knows of it: listed once, then told by a watch. The contract is that it ends up right. */
import type { ClusterStore, StoreWatch } from '../../src/model/cluster-store.ts';

export class StoreMirror {
  readonly items = new Map<string, string>();
  /** "reset", "stale", "live", and "put KEY", "deleted KEY", in order. */
  readonly told: string[] = [];
  token: string;
  #watch: StoreWatch | undefined;

  private constructor(token: string) {
    this.token = token;
  }

  static async open(store: ClusterStore, prefix: string): Promise<StoreMirror> {
    const { items, token } = await store.list(prefix);
    const mirror = new StoreMirror(token);
    for (const { key, value } of items) mirror.items.set(key, value);
    mirror.follow(store, prefix);
    return mirror;
  }

  /** One that knows what `earlier` knew, and goes on from there. */
  static resume(earlier: StoreMirror, store: ClusterStore, prefix: string): StoreMirror {
    const mirror = new StoreMirror(earlier.token);
    for (const [key, value] of earlier.items) mirror.items.set(key, value);
    mirror.follow(store, prefix);
    return mirror;
  }

  follow(store: ClusterStore, prefix: string): void {
    this.#watch = store.watch(prefix, this.token, {
      events: (events, token) => {
        this.token = token;
        for (const event of events) {
          if (event.kind === 'put') this.items.set(event.item.key, event.item.value);
          else this.items.delete(event.key);
          this.told.push(`${event.kind} ${event.kind === 'put' ? event.item.key : event.key}`);
        }
      },
      reset: ({ items, token }) => {
        this.token = token;
        this.items.clear();
        for (const { key, value } of items) this.items.set(key, value);
        this.told.push('reset');
      },
      stale: () => {
        if (this.told.at(-1) !== 'stale') this.told.push('stale');
      },
      live: () => this.told.push('live'),
    });
  }

  /** Keys and values, sorted. */
  contents(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.items].sort());
  }

  close(): void {
    this.#watch?.close();
  }
}
