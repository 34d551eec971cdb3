import { describe, expect, it } from 'vitest';
import type { HostState } from '../../../src/cluster/hosts.ts';
import { openPeerTable } from '../../../src/cluster/peers.ts';
import type { Resource } from '../../../src/plan/resource.ts';

const item = (address: string, host: string, mac = `02:42:0a:4d:00:0${address.at(-1) ?? ''}`) => ({
  key: `ep/n/${address}`,
  value: JSON.stringify({ mac, host, id: `on-${host}-${mac}`, names: [] }),
  revision: '1',
});

function scene() {
  const hosts: Record<string, { vtep: string; state: HostState }> = {
    b: { vtep: '192.168.0.2', state: 'alive' },
    c: { vtep: '192.168.0.3', state: 'alive' },
  };
  const table = openPeerTable({
    self: 'a',
    hostOf: (id) => hosts[id],
    planOf: ({ addresses, mac, vtep }) => [
      { kind: 'fdb', link: 'tsx', mac, vtep },
      ...addresses.map((address): Resource => ({ kind: 'neighbour', place: 'host', link: 'tsx', address, mac })),
    ],
  });
  const words = (plan: readonly Resource[]) =>
    plan.map((one) =>
      one.kind === 'fdb' ? `${one.mac} ${one.vtep}` : one.kind === 'neighbour' ? one.address : one.kind,
    );
  const take = () => {
    const { remove, add } = table.take();
    return { remove: words(remove), add: words(add) };
  };
  return { hosts, table, take };
}

describe('the endpoints of other hosts', () => {
  it('are added, the way before the answer, and taken away', () => {
    const { table, take } = scene();
    const one = item('10.77.0.5', 'b');
    table.apply([
      { key: one.key, after: one },
      { key: 'ep/n/10.77.0.6', after: item('10.77.0.6', 'a') },
    ]);
    expect(take()).toEqual({ remove: [], add: ['02:42:0a:4d:00:05 192.168.0.2', '10.77.0.5'] });
    expect(take()).toEqual({ remove: [], add: [] });
    table.apply([{ key: one.key, before: one }]);
    expect(take()).toEqual({ remove: ['02:42:0a:4d:00:05 192.168.0.2', '10.77.0.5'], add: [] });
  });

  it('with two addresses are one entry, which goes with the second', () => {
    const { table, take } = scene();
    const mac = '02:42:0a:4d:00:05';
    const [four, six] = [item('10.77.0.5', 'b', mac), item('fd00::5', 'b', mac)];
    table.apply([
      { key: four.key, after: four },
      { key: six.key, after: six },
    ]);
    expect(take().add).toEqual([`${mac} 192.168.0.2`, '10.77.0.5', 'fd00::5']);
    table.apply([{ key: four.key, before: four }]);
    expect(take()).toEqual({ remove: ['10.77.0.5'], add: [] });
  });

  it('are led to their new host when their address moves', () => {
    const { table, take } = scene();
    const [old, moved] = [item('10.77.0.5', 'b'), item('10.77.0.5', 'c')];
    table.apply([{ key: old.key, after: old }]);
    take();
    table.apply([{ key: old.key, before: old, after: moved }]);
    const { remove, add } = take();
    expect(remove).toContain('02:42:0a:4d:00:05 192.168.0.2');
    expect(add).toContain('02:42:0a:4d:00:05 192.168.0.3');
  });

  it('stay on record while their host is dead, and follow it to another place', () => {
    const { hosts, table, take } = scene();
    const one = item('10.77.0.5', 'b');
    table.apply([{ key: one.key, after: one }]);
    take();
    hosts['b'] = { vtep: '192.168.0.2', state: 'held' };
    table.hostsChanged(['b']);
    expect(take()).toEqual({ remove: [], add: [] });
    hosts['b'] = { vtep: '192.168.0.2', state: 'dead' };
    table.hostsChanged(['b']);
    expect(take().remove).toEqual(['02:42:0a:4d:00:05 192.168.0.2', '10.77.0.5']);
    hosts['b'] = { vtep: '192.168.0.9', state: 'alive' };
    table.hostsChanged(['b']);
    expect(take().add).toEqual(['02:42:0a:4d:00:05 192.168.0.9', '10.77.0.5']);
  });
});
