/** What the daemon counts, in the text that Prometheus reads: npm `prom-client`. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Engine } from '../engine/engine.ts';
import type { ClusterInfo } from '../engine/host-info.ts';
import { poolUsage } from '../engine/pool-usage.ts';
import type { Ledger } from '../model/ledger.ts';
import { clusterGauges } from './cluster-gauges.ts';

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  onRequest(request: { readonly method: string; readonly route: string; readonly status: number }): void;
  /** Drift that was mended without being asked; `kind` is that of the resource. */
  onRepaired(kind: string): void;
  /** A question to the name server; `result` is what became of it: answered, forwarded, nxdomain … */
  onQuery(result: string): void;
  onCacheHit(): void;
  /** The same engine, its attaching timed. */
  timed(engine: Engine): Engine;
}

/** Seconds. An attach costs some milliseconds, one that brings a network up or waits for a plugin more. */
const ATTACH_BUCKETS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** Lag of the event loop over time takes a timer of 10 ms, which keeps an idle daemon awake; the lag at a scrape stays. */
const LAG_PARTS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];
const NEVER_MS = 2 ** 31 - 1;

/** @param cluster What this host knows of its cluster now; undefined while it is in none. */
export function openMetrics(ledger: Ledger, cluster: () => ClusterInfo | undefined): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  for (const part of LAG_PARTS) registry.removeSingleMetric(`nodejs_eventloop_lag_${part}_seconds`);
  const registers = [registry];
  const measure = ledgerGauges(registry, ledger);
  let measureCluster: ReturnType<typeof clusterGauges> | undefined;
  const attach = new Histogram({
    name: 'tsnet_attach_seconds',
    help: 'Time to attach a container to a network, or to make it with its networks',
    labelNames: ['operation', 'outcome'],
    buckets: ATTACH_BUCKETS,
    registers,
  });
  const requests = new Counter({
    name: 'tsnet_api_requests_total',
    help: 'Requests to the API',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const repaired = new Counter({
    name: 'tsnet_drift_repaired_total',
    help: 'Things restored in the kernel, by kind',
    labelNames: ['kind'],
    registers,
  });
  const queries = new Counter({
    name: 'tsnet_dns_queries_total',
    help: 'Questions to the name server, by result',
    labelNames: ['result'],
    registers,
  });
  const cacheHits = new Counter({
    name: 'tsnet_dns_cache_hits_total',
    help: 'Questions answered without asking upstream again',
    registers,
  });
  const time = async <T>(operation: string, work: Promise<T>): Promise<T> => {
    const stop = attach.startTimer({ operation });
    try {
      const answer = await work;
      stop({ outcome: 'ok' });
      return answer;
    } catch (error) {
      stop({ outcome: 'failed' });
      throw error;
    }
  };
  return {
    contentType: registry.contentType,
    text: () => {
      measure();
      const info = cluster();
      if (info !== undefined) (measureCluster ??= clusterGauges(registry))(info);
      return registry.metrics();
    },
    onRequest: ({ method, route, status }) => {
      requests.inc({ method, route, status: String(status) });
    },
    onRepaired: (kind) => {
      repaired.inc({ kind });
    },
    onQuery: (result) => {
      queries.inc({ result });
    },
    onCacheHit: () => {
      cacheHits.inc();
    },
    timed: (engine) => ({
      ...engine,
      connect: (request) =>
        request.dryRun === true ? engine.connect(request) : time('connect', engine.connect(request)),
      createSandbox: (request) => time('create_sandbox', engine.createSandbox(request)),
    }),
  };
}

/** What the ledger has, read when somebody asks: what is gone is told no more. */
function ledgerGauges(registry: Registry, ledger: Ledger): () => void {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers });
  const networks = gauge('tsnet_networks', 'Networks');
  const sandboxes = gauge('tsnet_sandboxes', 'Sandboxes');
  const endpoints = gauge('tsnet_endpoints', 'Attachments of sandboxes to networks');
  const ports = gauge('tsnet_published_ports', 'Host ports that are published');
  const leases = gauge('tsnet_leases', 'Addresses that containers hold', ['network']);
  const size = gauge('tsnet_pool_addresses', 'Addresses that containers can get without asking for one', [
    'network',
    'pool',
  ]);
  const free = gauge('tsnet_pool_free_addresses', 'Of those, the ones that nobody has', ['network', 'pool']);
  return () => {
    for (const each of [leases, size, free]) each.reset();
    ledger.read((view) => {
      networks.set(view.networks().length);
      sandboxes.set(view.sandboxes().length);
      endpoints.set(view.endpoints().length);
      ports.set(view.ports().reduce((sum, { count }) => sum + count, 0));
      for (const { id, name, pools } of view.networks()) {
        const held = view.leases(id);
        leases.set({ network: name }, held.filter(({ holder }) => holder.kind === 'endpoint').length);
        for (const usage of poolUsage(pools, held)) {
          const labels = { network: name, pool: usage.subnet };
          size.set(labels, Number(usage.dynamic));
          free.set(labels, Number(usage.free));
        }
      }
    });
  };
}
