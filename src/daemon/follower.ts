/** A part of the daemon that keeps something equal to the ledger. */
export interface Follower {
  /**
   * Makes what it keeps what the ledger says now. Idempotent; never rejects: it logs. `only`: sandboxes that changed, where that is
   * known; everything otherwise.
   */
  sync(only?: ReadonlySet<string>): Promise<void>;
  close(): Promise<void>;
}
