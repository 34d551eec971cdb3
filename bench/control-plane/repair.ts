/** A thousand containers with a port each after somebody flushed the firewall, beside loading the saved rule set again. */
import { execFileSync } from 'node:child_process';
import type { Group, Row } from '../group.ts';
import { inTurn, timed } from '../in-turn.ts';
import { runWith } from '../run-with.ts';
import { openHost, type Backend } from '../tsnet-host.ts';

const CONTAINERS = 1000;
const RUNS = 3;

interface Saved {
  readonly name: string;
  readonly flush: () => void;
  readonly load: () => Promise<void>;
}

const run = (file: string, ...args: readonly string[]): string =>
  execFileSync(file, [...args], { encoding: 'utf8', maxBuffer: 256 << 20 });

/** The rule set as it is now, and how to lose it. */
function save(backend: Backend): Saved {
  if (backend === 'nftables') {
    const text = run('nft', 'list', 'ruleset');
    return {
      name: 'nft -f of the saved rule set',
      flush: () => void run('nft', 'flush', 'ruleset'),
      load: () => runWith(text, 'nft', '-f', '-'),
    };
  }
  const text = run('iptables-save');
  const tables = [...text.matchAll(/^\*(\S+)$/gm)].map(([, table]) => table ?? '');
  return {
    name: 'iptables-restore of the saved rules',
    flush: () => {
      for (const table of tables) {
        run('iptables', '-t', table, '-F');
        run('iptables', '-t', table, '-X');
      }
    },
    load: () => runWith(text, 'iptables-restore'),
  };
}

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  const { engine, container } = await openHost(dir, backend);
  await engine.createNetwork({ name: 'web', ipam: [{ subnet: '10.10.0.0/16' }] });
  for (let number = 0; number < CONTAINERS; number += 1) {
    const ports = [`${10_000 + 2 * number}:80`];
    await engine.connect({ network: 'web', container: container(`c${number}`).path, ports });
  }
  const saved = save(backend);
  const samples = await inTurn(
    { runs: RUNS, warmUp: 1 },
    async (run) => {
      saved.flush();
      const took = await timed(() => engine.repair());
      const drift = run < 0 ? await engine.diff() : [];
      if (drift.length > 0) throw new Error(`repair left ${drift.length}: ${JSON.stringify(drift[0])}`);
      return took;
    },
    () => {
      saved.flush();
      return timed(saved.load);
    },
  );
  return [
    {
      name: `repair ${CONTAINERS.toLocaleString('en')} containers after a flush`,
      ...samples,
      peerName: saved.name,
      unit: 'ms',
      promise: { medianAtMost: 1000 },
    },
  ];
}

export const repair = (backend: Backend): Group => ({
  name: `repair/${backend}`,
  measure: (dir) => measure(dir, backend),
});
