import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../support/lab.ts';
import { linkOfParameter } from '../../src/kernel/link-parameters.ts';
import type { SysctlResource } from '../../src/plan/resource.ts';
import { bridge, BRIDGE, PLACE, SANDBOX, Stage, veth } from './kernel-stage.ts';

const changes: (readonly [key: string, before: string, now: string])[] = [];
let stage: Stage;
beforeEach(async () => {
  changes.length = 0;
  await must('sysctl', ['-qw', 'net.ipv4.ip_forward=0']);
  stage = new Stage({ onSysctlChanged: (...change) => changes.push(change) });
});
afterEach(() => stage.close());

const forwarding: SysctlResource = {
  kind: 'sysctl',
  place: 'host',
  key: 'net/ipv4/ip_forward',
  value: '1',
  mode: 'set',
};

test('a parameter of the host is set, and the change is told with the value it had', async () => {
  expect(await stage.states([forwarding])).toEqual(['net/ipv4/ip_forward is 0 instead of 1']);
  await stage.ensure([forwarding]);
  await stage.ensure([forwarding]);
  expect(await stage.states([forwarding])).toEqual(['present']);
  expect(changes).toEqual([['net/ipv4/ip_forward', '0', '1']]);
});

test('a parameter of one link is set and not told', async () => {
  await stage.ensure([
    bridge,
    { ...forwarding, key: `net/ipv4/conf/${BRIDGE}/route_localnet` },
    { ...forwarding, key: `net/ipv4/neigh/${BRIDGE}/retrans_time_ms`, value: '999' },
  ]);
  expect(await must('sysctl', ['-n', `net.ipv4.conf.${BRIDGE}.route_localnet`])).toBe('1');
  expect(changes).toEqual([]);
});

test('conf/all and conf/default concern the whole host and are told', async () => {
  await must('sysctl', ['-qw', 'net.ipv4.conf.default.log_martians=0']);
  await stage.ensure([{ ...forwarding, key: 'net/ipv4/conf/default/log_martians' }]);
  expect(changes).toEqual([['net/ipv4/conf/default/log_martians', '0', '1']]);
});

test('a parameter of a sandbox is set there and only there', async () => {
  const inSandbox: SysctlResource = { ...forwarding, place: PLACE };
  await stage.ensure([inSandbox]);
  expect(await stage.sandbox.must('sysctl', ['-n', 'net.ipv4.ip_forward'])).toBe('1');
  expect(await must('sysctl', ['-n', 'net.ipv4.ip_forward'])).toBe('0');
  expect(changes).toEqual([]);
  expect(await stage.states([inSandbox, forwarding])).toEqual(['present', 'net/ipv4/ip_forward is 0 instead of 1']);
});

const OF_LINKS = [
  'net/ipv4/conf/eth0/proxy_arp',
  'net/ipv4/conf/eth0/arp_notify',
  'net/ipv4/conf/eth0/route_localnet',
  'net/ipv6/conf/eth0/accept_ra',
  'net/ipv6/conf/eth0/accept_dad',
  'net/ipv6/conf/eth0/ndisc_notify',
  'net/ipv6/conf/eth0/disable_ipv6',
];

test.each(OF_LINKS)('rtnetlink tells %s of a sandbox as /proc/sys does', async (key) => {
  expect(linkOfParameter(key)).toBe('eth0');
  const wanted = (value: string): SysctlResource => ({ ...forwarding, place: PLACE, key, value });
  await stage.ensure([bridge, { ...veth, peer: 'eth0' }]);
  // One after the other: no other parameter may be taken for this one.
  for (const other of OF_LINKS) await stage.ensure([{ ...wanted('0'), key: other }]);
  await stage.sandbox.must('sysctl', ['-qw', `${key.replaceAll('/', '.')}=1`]);
  expect(await stage.states([wanted('1'), wanted('0')])).toEqual(['present', `${key} is 1 instead of 0`]);
  for (const other of OF_LINKS) {
    if (other !== key) expect(await stage.states([{ ...wanted('0'), key: other }])).toEqual(['present']);
  }
});

test('a required parameter is never written', async () => {
  await expect(stage.ensure([{ ...forwarding, mode: 'require' }])).rejects.toMatchObject({
    code: 'FORBIDDEN',
    message: expect.stringContaining('sysctl -w net.ipv4.ip_forward=1') as string,
  });
  expect(await must('sysctl', ['-n', 'net.ipv4.ip_forward'])).toBe('0');
  await stage.ensure([{ ...forwarding, value: '0', mode: 'require' }]);
});

test('a parameter that this kernel lacks is skipped when preferred, and an error otherwise', async () => {
  const unknown: SysctlResource = { ...forwarding, key: 'net/ipv4/tsnet_unknown' };
  await stage.ensure([{ ...unknown, mode: 'prefer' }]);
  expect(await stage.states([unknown, { ...unknown, mode: 'prefer' }])).toEqual(['missing', 'present']);
  await expect(stage.ensure([unknown])).rejects.toMatchObject({ code: 'UNSUPPORTED' });
});

test('values of several numbers are compared as numbers, whatever is between them', async () => {
  const range: SysctlResource = { ...forwarding, key: 'net/ipv4/ip_local_port_range', value: '40000 50000' };
  await stage.ensure([range]);
  await stage.ensure([range]);
  expect(changes).toHaveLength(1);
  expect(stage.kernel.ephemeralPorts()).toEqual([40000, 50000]);
});

test('removing leaves parameters as they are', async () => {
  await stage.ensure([forwarding]);
  await stage.remove([forwarding]);
  expect(await stage.states([forwarding])).toEqual(['present']);
});

test('a sandbox that is gone is an error to ensure and missing to observe', async () => {
  stage.namespaces.set(SANDBOX, { path: '/run/netns/never', device: 4, inode: 1 });
  await expect(stage.ensure([{ ...forwarding, place: PLACE }])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await stage.states([{ ...forwarding, place: PLACE }])).toEqual(['missing']);
});
