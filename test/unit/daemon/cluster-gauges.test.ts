import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { clusterGauges } from '../../../src/daemon/cluster-gauges.ts';
import type { ClusterInfo } from '../../../src/engine/host-info.ts';

const info: ClusterInfo = {
  hostId: 'h1',
  name: 'one',
  address: '192.168.0.1',
  port: 4789,
  mtu: 1500,
  store: { kind: 'etcd', reachable: true },
  session: 'held',
  sessionRemainingMs: 12_500,
  hosts: [
    { id: 'h2', name: 'two', address: '192.168.0.2', state: 'alive' },
    { id: 'h3', name: 'three', address: '192.168.0.3', state: 'dead' },
  ],
  held: 0,
  lagMs: 250,
  networks: [{ name: 'ov', endpoints: 7, entries: 10, lagMs: 0 }],
  problems: [{ name: 'other', reason: 'its driver is not here' }],
};

it('what a host knows of its cluster is told to Prometheus, and what it does not know any more is not', async () => {
  const registry = new Registry();
  const tell = clusterGauges(registry);
  tell(info);
  const text = await registry.metrics();
  const samples = text.split('\n').filter((line) => line.startsWith('tsnet_'));
  expect(samples).toEqual([
    'tsnet_cluster_session_held 1',
    'tsnet_cluster_session_remaining_seconds 12.5',
    'tsnet_cluster_store_reachable 1',
    'tsnet_cluster_watch_lag_seconds 0.25',
    'tsnet_cluster_hosts{state="alive"} 1',
    'tsnet_cluster_hosts{state="gone"} 0',
    'tsnet_cluster_hosts{state="held"} 0',
    'tsnet_cluster_hosts{state="dead"} 1',
    'tsnet_cluster_network_lag_seconds{network="ov"} 0',
    'tsnet_cluster_endpoints{network="ov"} 7',
    'tsnet_cluster_kernel_entries{network="ov"} 10',
    'tsnet_cluster_unusable_networks 1',
  ]);
  const { sessionRemainingMs: _, ...lost } = info;
  tell({ ...lost, session: 'lost', store: { kind: 'etcd', reachable: false }, networks: [] });
  const after = await registry.metrics();
  expect(after).toMatch(/^tsnet_cluster_session_held 0$/m);
  expect(after).toMatch(/^tsnet_cluster_session_remaining_seconds 0$/m);
  expect(after).toMatch(/^tsnet_cluster_store_reachable 0$/m);
  expect(after).not.toContain('network="ov"');
});
