/** Samples of several hosts (twin.ts) in turn, whatever each of them plays. */
import path from 'node:path';
import { openTwin, type Sample, type Twin, type TwinRequest } from '../twin.ts';

/** Hosts by a name of the caller's. */
export type Hosts = Readonly<Record<string, Omit<TwinRequest, 'dir'>>>;

/** Samples by host and by what was sampled; [] where there are none. */
export type Taken = (host: string, what: string) => readonly number[];

/**
 * Opens all hosts, takes `runs` samples of each in turn after two that do not count, and ends them. They are opened two at a
 * time: the large ones take long, and more at once would only wait for each other's processor.
 */
export async function compareTwins(dir: string, hosts: Hosts, runs: number): Promise<Taken> {
  const twins = new Map<string, Twin>();
  const samples = new Map<string, Sample[]>();
  const waiting = Object.entries(hosts);
  const openSome = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [name, request] = next;
      twins.set(name, await openTwin({ ...request, dir: path.join(dir, name.replaceAll(/\W+/g, '-')) }));
      samples.set(name, []);
    }
  };
  try {
    const opened = await Promise.allSettled([openSome(), openSome()]);
    for (const result of opened) if (result.status === 'rejected') throw result.reason;
    for (let run = -2; run < runs; run += 1) {
      const order = [...twins];
      for (const [name, twin] of run % 2 === 0 ? order : order.toReversed()) {
        const sample = await twin.sample();
        if (run >= 0) samples.get(name)?.push(sample);
      }
    }
  } finally {
    for (const twin of twins.values()) twin.close();
  }
  return (host, what) => (samples.get(host) ?? []).flatMap((sample) => sample[what] ?? []);
}
