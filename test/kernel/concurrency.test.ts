import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, type Host } from '../support/lab.ts';

let lab: Lab;
let host: Host;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(() => {
  lab.close();
});

/** At most `width` at a time, as that many processes of a busy machine. */
async function together<T, R>(inputs: readonly T[], width: number, work: (input: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...inputs.entries()];
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
    }),
  );
  return results;
}

describe('many processes at once', () => {
  it('fifty connects to a network that is not up yet give fifty addresses, one bridge and one set of rules', async () => {
    const containers = Array.from({ length: 50 }, () => lab.namespace('c'));
    const outcomes = await together(containers, 50, (container) =>
      host.tsnet(['connect', '-p', '80', 'bridge', container.path], { timeoutMs: 120_000 }),
    );
    expect(outcomes.filter(({ status }) => status !== 0).map(({ stderr }) => stderr)).toEqual([]);
    const [network] = JSON.parse(await host.mustTsnet(['inspect', 'bridge'])) as {
      Containers: Record<string, { IPv4Address: string }>;
    }[];
    const addresses = Object.values(network?.Containers ?? {}).map(({ IPv4Address }) => IPv4Address);
    expect(new Set(addresses).size).toBe(50);
    const rules = (await host.must('iptables-save')).split('\n').filter((line) => line.startsWith('-A'));
    expect(rules.filter((rule, index) => rules.indexOf(rule) !== index)).toEqual([]);
    expect(await host.mustTsnet(['diff'])).toBe('');
  }, 180_000);

  it('connects, disconnects, creates and removes side by side and ends clean', async () => {
    const containers = Array.from({ length: 12 }, () => lab.namespace('c'));
    const failures = (
      await together(containers, 6, async (container) => {
        const network = `n${container.name.slice(-2)}`;
        return [
          await host.tsnet(['create', network]),
          await host.tsnet(['connect', '-p', '80', network, container.path]),
          await host.tsnet(['connect', 'bridge', container.path]),
          await host.tsnet(['disconnect', network, container.path]),
          await host.tsnet(['rm', network]),
          await host.tsnet(['disconnect', 'bridge', container.path]),
        ];
      })
    )
      .flat()
      .filter(({ status }) => status !== 0);
    expect(failures).toEqual([]);
    expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({
      networks: 3,
      endpoints: 0,
      leases: 0,
      publishedPorts: 0,
      pending: 0,
    });
    expect(await host.mustTsnet(['diff'])).toBe('');
  }, 180_000);
});
