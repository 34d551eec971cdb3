/** How long to wait before a store is tried again: longer each time, and not all hosts at once. */
const FIRST_MS = 300;
const LONGEST_MS = 5_000;

/** `failures` in a row, from 1 on. Half of it is chance. */
export function retryDelayMs(failures: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return full * (0.5 + Math.random() / 2);
}
