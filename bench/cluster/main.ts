/**
 * `make sim`: as many hosts as this machine holds, on one real etcd. Each is the control side of a daemon on a connection of its own; what
 * is left out is the kernel. What it tells is what docs/scale.md reckons with.
 *
 *     sim.js [--hosts 500] [--endpoints 100000] [--networks-per-host 20] [--workers 4] [--contenders 64]
 *     sim.js --mode block [--hosts 500] [--endpoints 100000] [--workers 4]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createNetwork } from '../../src/cluster/networks.ts';
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import { openClusterStore } from '../../src/store/cluster/open-cluster-store.ts';
import { quantile } from '../group.ts';
import { prepareHost, thisProgram } from '../isolated.ts';
import { ETCD_URL, startEtcd, stopEtcd, usageOf } from './etcd-process.ts';
import { simulatedBlockNetwork } from './block-network.ts';
import { simulatedNetwork, writeEndpoints, type Layout } from './layout.ts';
import { work, type Answer, type Order } from './worker.ts';

const WORKER = 'worker';

/** Hosts that are told of the claims of those who contend. */
const LISTENERS = 4;

interface Phase extends Answer {
  readonly seconds: number;
  readonly etcd: { readonly cpuSeconds: number; readonly rssBytes: number };
}

class Simulation {
  readonly #etcd: ChildProcess;
  readonly #workers: readonly ChildProcess[];

  constructor(etcd: ChildProcess, workers: number) {
    this.#etcd = etcd;
    this.#workers = Array.from({ length: workers }, () => fork(thisProgram(), [WORKER], { serialization: 'advanced' }));
  }

  /** Gives each process its order; all answers together. */
  async all(orderFor: (worker: number) => Order): Promise<Phase> {
    const pid = this.#etcd.pid ?? 0;
    const [before, started] = [usageOf(pid), performance.now()];
    const answers = await Promise.all(
      this.#workers.map(async (worker, index) => {
        const answered = once(worker, 'message');
        worker.send(orderFor(index));
        const [answer] = (await answered) as [Answer];
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer;
      }),
    );
    const after = usageOf(pid);
    const sum = (pick: (answer: Answer) => number): number => answers.reduce((total, one) => total + pick(one), 0);
    return {
      seconds: (performance.now() - started) / 1000,
      etcd: { cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssBytes: after.rssBytes },
      events: sum(({ events }) => events),
      failures: sum(({ failures }) => failures),
      cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
      rssBytes: sum(({ rssBytes }) => rssBytes),
      convergences: answers.flatMap(({ convergences }) => convergences),
      claims: answers.flatMap(({ claims }) => claims),
    };
  }

  end(): void {
    for (const worker of this.#workers) worker.kill('SIGKILL');
  }
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const ms = (samples: readonly number[]): string =>
  samples.length === 0 ? '-' : [0.5, 0.99, 1].map((q) => quantile(samples, q).toFixed(1)).join(' / ');
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function tell(name: string, hosts: number, phase: Phase): void {
  const { seconds, events, claims, convergences, cpuSeconds, rssBytes, etcd, failures } = phase;
  const rate = (count: number): string => `${(count / seconds).toFixed(0)}/s`;
  say(`\n${name}: ${seconds.toFixed(1)} s${failures === 0 ? '' : `, ${String(failures)} FAILURES`}`);
  if (claims.length > 0) {
    say(`  claims        ${String(claims.length)} (${rate(claims.length)}), p50 / p99 / max ${ms(claims)} ms`);
  }
  say(`  events        ${String(events)} (${rate(events)})`);
  if (convergences.length > 0)
    say(`  convergence   p50 / p99 / max ${ms(convergences)} ms, over ${String(convergences.length)} deliveries`);
  const share = (cpu: number): string => `${((cpu / seconds) * 100).toFixed(1)} % of a core`;
  say(
    `  hosts         ${share(cpuSeconds)}, ${((cpuSeconds / hosts / seconds) * 1000).toFixed(2)} ms/s and ${mb(rssBytes / hosts)} each`,
  );
  say(`  etcd          ${share(etcd.cpuSeconds)}, ${mb(etcd.rssBytes)}`);
}

/** All hosts on one network, each with blocks of its addresses. */
async function simulateBlocks(layout: Layout, workers: number): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-sim-'));
  const etcd = await startEtcd(path.join(dir, 'etcd'));
  const simulation = new Simulation(etcd, workers);
  try {
    const store = await openClusterStore({ store: parseClusterStore(ETCD_URL) });
    await createNetwork(store, simulatedBlockNetwork(), [4096]);
    await store.close();
    const { hosts, endpointsEach } = layout;
    const endpoints = hosts * endpointsEach;
    say(`${String(hosts)} hosts, 1 network in blocks, ${String(endpoints)} endpoints, one etcd`);
    const ofWorker = (worker: number): number[] =>
      Array.from({ length: hosts }, (_, host) => host).filter((host) => host % workers === worker);
    const phase = async (name: string, orderFor: (worker: number) => Order): Promise<void> => {
      tell(name, hosts, await simulation.all(orderFor));
    };
    await phase('all hosts start', (worker) => ({ kind: 'start', url: ETCD_URL, hosts: ofWorker(worker), layout }));
    await phase('all endpoints are attached', () => ({ kind: 'fill', each: endpointsEach }));
    for (const share of [0, 0.01, 0.1]) {
      const perSecond = Math.round((endpoints * share) / 60);
      await phase(`${String(perSecond)} changes a second`, () => ({
        kind: 'churn',
        perSecond: perSecond / workers,
        seconds: 15,
      }));
    }
  } finally {
    simulation.end();
    await stopEtcd(etcd);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function simulate(layout: Layout, workers: number, contenders: number): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-sim-'));
  const etcd = await startEtcd(path.join(dir, 'etcd'));
  const simulation = new Simulation(etcd, workers);
  try {
    const store = await openClusterStore({ store: parseClusterStore(ETCD_URL) });
    const started = performance.now();
    for (let index = 0; index < layout.networks; index += 1) {
      await createNetwork(store, simulatedNetwork(index), [4096 + index]);
    }
    const keys = await writeEndpoints(store, layout);
    const endpoints = layout.hosts * layout.networksPerHost * layout.endpointsEach;
    say(`${String(layout.hosts)} hosts, ${String(layout.networks)} networks, ${String(endpoints)} endpoints, one etcd`);
    say(
      `written: ${String(keys)} keys in ${((performance.now() - started) / 1000).toFixed(1)} s, etcd ${mb(usageOf(etcd.pid ?? 0).rssBytes)}`,
    );

    const { hosts } = layout;
    const ofWorker = (worker: number): number[] =>
      Array.from({ length: hosts }, (_, host) => host).filter((host) => host % workers === worker);
    const start = (worker: number): Order => ({ kind: 'start', url: ETCD_URL, hosts: ofWorker(worker), layout });
    tell('all hosts start', hosts, await simulation.all(start));
    const churn = (perSecond: number, seconds: number) => (): Order => ({
      kind: 'churn',
      perSecond: perSecond / workers,
      seconds,
    });
    tell('nothing happens', hosts, await simulation.all(churn(0, 15)));
    // 1 % a minute, and ten times that.
    for (const share of [0.01, 0.1]) {
      const perSecond = Math.round((endpoints * share) / 60);
      tell(`${String(perSecond)} changes a second`, hosts, await simulation.all(churn(perSecond, 20)));
    }
    const contended = simulatedNetwork(layout.networks, '172.16.0.0/12');
    await createNetwork(store, contended, [4096 + layout.networks]);
    await store.close();
    const contend = (): Order => ({
      kind: 'contend',
      network: layout.networks,
      subnet: '172.16.0.0/12',
      hosts: contenders,
      listeners: LISTENERS,
      seconds: 10,
    });
    tell(
      `${String(contenders)} hosts claim on one network, ${String(LISTENERS)} listen`,
      contenders,
      await simulation.all(contend),
    );
  } finally {
    simulation.end();
    await stopEtcd(etcd);
    rmSync(dir, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mode: { type: 'string', default: 'perIp' },
      hosts: { type: 'string', default: '500' },
      endpoints: { type: 'string', default: '100000' },
      'networks-per-host': { type: 'string', default: '20' },
      workers: { type: 'string', default: '4' },
      contenders: { type: 'string', default: '64' },
    },
  });
  const hosts = Number(values.hosts);
  const mode = values.mode === 'block' ? 'block' : 'perIp';
  const networksPerHost = mode === 'block' ? 1 : Number(values['networks-per-host']);
  const layout: Layout = {
    mode,
    hosts,
    networksPerHost,
    networks: mode === 'block' ? 1 : 2 * hosts,
    endpointsEach: Math.round(Number(values.endpoints) / hosts / networksPerHost),
  };
  prepareHost();
  if (mode === 'block') await simulateBlocks(layout, Number(values.workers));
  else await simulate(layout, Number(values.workers), Number(values.contenders));
}

if (process.argv[2] === WORKER) work();
else {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
}
