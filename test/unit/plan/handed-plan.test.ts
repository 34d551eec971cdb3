import { describe, expect, it } from 'vitest';
import { handedPlan } from '../../../src/plan/handed-plan.ts';
import type { Plan } from '../../../src/plan/resource.ts';

const place = { sandbox: 's' };
const veth = {
  kind: 'veth',
  sandbox: 's',
  host: 'veth0',
  peer: 'eth0',
  master: 'br0',
  mtu: 1500,
  mac: '02:42:0a:00:00:02',
  hairpin: true,
  isolated: false,
  tag: 'tsnet:e',
} as const;
const macvlan = {
  kind: 'macvlan',
  place,
  name: 'eth0',
  parent: 'lan0',
  mode: 'bridge',
  tag: 'tsnet:e',
} as const;
const publish = {
  kind: 'publish',
  family: 4,
  bridge: 'br0',
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  containerPort: 80,
  count: 1,
  to: '10.0.0.2',
  mode: 'nat',
} as const;
const neighbour = { kind: 'neighbour', place: 'host', link: 'lan0', address: '10.0.0.2', mac: veth.mac } as const;
const plan: Plan = [
  { kind: 'link-up', place, link: 'lo' },
  veth,
  macvlan,
  { kind: 'address', place, link: 'eth0', address: '10.0.0.2/24' },
  { kind: 'sysctl', place, key: 'net/ipv6/conf/eth0/disable_ipv6', value: '1', mode: 'prefer' },
  neighbour,
  publish,
];
const at = (stage: 'reserved' | 'offered' | 'taken') => ({ handOver: { link: 'tsif0', stage } });

describe('the plan of an endpoint whose container side a runtime sets up', () => {
  it('is the driver’s where nobody takes anything over', () => {
    expect(handedPlan(plan, {})).toBe(plan);
  });

  it('is empty before there is a link', () => {
    expect(handedPlan(plan, at('reserved'))).toEqual([]);
  });

  it('has the links on the host, for the runtime to take, and nothing of what is inside', () => {
    expect(handedPlan(plan, at('offered'))).toEqual([
      { ...veth, peer: 'tsif0', handOver: 'due' },
      { ...macvlan, place: 'host', name: 'tsif0', handOver: 'due' },
      neighbour,
      publish,
    ]);
  });

  it('marks the links as the runtime’s once it has them', () => {
    const links = handedPlan(plan, at('taken')).filter(({ kind }) => kind === 'veth' || kind === 'macvlan');
    expect(links.map((link) => 'handOver' in link && link.handOver)).toEqual(['done', 'done']);
  });
});
