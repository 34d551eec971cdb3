/** Time, as the cluster is handed it: tests turn its hands. */
export interface ClusterClock {
  /** Milliseconds of the monotonic clock. */
  now(): number;
  /** Runs `work` after so many milliseconds; answers how to call it off. */
  after(ms: number, work: () => void): () => void;
}

/** Resolves after so many milliseconds. */
export function pause(clock: ClusterClock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(ms, resolve);
  });
}
