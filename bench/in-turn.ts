/** Runs us and the peer in turn, so that the machine's noise hits both alike. */

export interface Runs {
  /** Runs that count. */
  readonly runs: number;
  /** Runs before those, thrown away. Default 2. */
  readonly warmUp?: number;
}

/** Each function does one run and answers its sample: `() => timed(work)`, or a rate. `run` is below 0 while warming up. */
export async function inTurn(
  { runs, warmUp = 2 }: Runs,
  ours: (run: number) => Promise<number>,
  peer: (run: number) => Promise<number>,
): Promise<{ readonly ours: number[]; readonly peer: number[] }> {
  const samples = { ours: [] as number[], peer: [] as number[] };
  for (let run = -warmUp; run < runs; run += 1) {
    // Who goes first changes, so that neither always finds what the other left behind.
    const oursFirst = run % 2 === 0;
    const first = await (oursFirst ? ours : peer)(run);
    const second = await (oursFirst ? peer : ours)(run);
    if (run < 0) continue;
    samples.ours.push(oursFirst ? first : second);
    samples.peer.push(oursFirst ? second : first);
  }
  return samples;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** A change and the way back, each with its own time. */
export interface ThereAndBack {
  readonly there: () => Promise<unknown>;
  readonly back: () => Promise<unknown>;
}

type Pair = Awaited<ReturnType<typeof inTurn>>;

/** Both ways in turn, in milliseconds: every run ends where it began. */
export async function thereAndBack(
  runs: Runs,
  ours: ThereAndBack,
  peer: ThereAndBack,
): Promise<{ readonly there: Pair; readonly back: Pair }> {
  const ways = { ours: [] as number[], peer: [] as number[] };
  const once =
    ({ there, back }: ThereAndBack, gone: number[]) =>
    async (run: number): Promise<number> => {
      const took = await timed(there);
      const returned = await timed(back);
      if (run >= 0) gone.push(returned);
      return took;
    };
  const there = await inTurn(runs, once(ours, ways.ours), once(peer, ways.peer));
  return { there, back: ways };
}
