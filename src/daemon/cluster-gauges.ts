/** The cluster as this host sees it, for Prometheus. A daemon that is in no cluster has none of these. */
import { Gauge, type Registry } from 'prom-client';
import type { ClusterInfo } from '../engine/host-info.ts';

const STATES = ['alive', 'gone', 'held', 'dead'] as const satisfies readonly ClusterInfo['hosts'][number]['state'][];

/** Answers how to bring them to what is the case now. */
export function clusterGauges(registry: Registry): (info: ClusterInfo) => void {
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `tsnet_cluster_${name}`, help, labelNames, registers: [registry] });
  const session = gauge('session_held', '1 while the others know that this host is alive');
  const remaining = gauge('session_remaining_seconds', 'Until they take it for dead, unless the store hears of it');
  const reachable = gauge('store_reachable', '1 while the store answers');
  const lag = gauge('watch_lag_seconds', 'How old what is known of the hosts may be');
  const hosts = gauge('hosts', 'Other hosts, by state', ['state']);
  const networkLag = gauge('network_lag_seconds', 'How old what is known of a network may be', ['network']);
  const endpoints = gauge('endpoints', 'Endpoints of a network on all hosts', ['network']);
  const entries = gauge('kernel_entries', 'Entries of the kernel that lead to other hosts', ['network']);
  const unusable = gauge('unusable_networks', 'Networks of the cluster that cannot be used here');
  return (info) => {
    session.set(info.session === 'held' ? 1 : 0);
    remaining.set((info.sessionRemainingMs ?? 0) / 1000);
    reachable.set(info.store.reachable ? 1 : 0);
    lag.set(info.lagMs / 1000);
    unusable.set(info.problems.length);
    for (const state of STATES) hosts.set({ state }, info.hosts.filter((host) => host.state === state).length);
    for (const each of [networkLag, endpoints, entries]) each.reset();
    for (const network of info.networks) {
      const labels = { network: network.name };
      networkLag.set(labels, network.lagMs / 1000);
      endpoints.set(labels, network.endpoints);
      entries.set(labels, network.entries);
    }
  };
}
