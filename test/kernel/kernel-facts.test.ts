import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../support/lab.ts';
import { bridge, BRIDGE, hasLink, identify, Stage, veth } from './kernel-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = new Stage();
  await stage.ensure([bridge, veth]);
});
afterEach(() => stage.close());

test('facts tell the links of the host with kind, MTU, alias and addresses', async () => {
  await must('ip', ['address', 'add', '10.44.0.1/24', 'dev', BRIDGE]);
  await must('ip', ['address', 'add', 'fd44::1/64', 'dev', BRIDGE, 'nodad']);
  const { links } = await stage.kernel.facts();
  expect(links.find(({ name }) => name === BRIDGE)).toMatchObject({
    kind: 'bridge',
    mtu: 1450,
    up: true,
    alias: bridge.tag,
    addresses: expect.arrayContaining(['10.44.0.1/24', 'fd44::1/64']) as string[],
  });
  expect(links.find(({ name }) => name === 'lo')).toMatchObject({ up: true, addresses: ['127.0.0.1/8', '::1/128'] });
  expect(links.find(({ name }) => name === 'lo')).not.toHaveProperty('kind');
});

test('facts tell unicast routes of all tables, without defaults, local, multicast and link-local ones', async () => {
  for (const route of [
    ['10.45.0.0/16', 'dev', BRIDGE],
    ['10.46.0.0/16', 'dev', BRIDGE, 'table', '1234'],
    ['default', 'dev', BRIDGE, 'table', '1234'],
    ['unreachable', '10.47.0.0/16'],
    ['10.49.0.0/16', 'dev', BRIDGE, 'table', 'local'],
    ['10.48.0.0/16', 'nexthop', 'dev', BRIDGE, 'nexthop', 'dev', veth.host],
    ['fd45::/64', 'dev', BRIDGE],
    ['default', 'dev', BRIDGE, 'metric', '5'],
  ]) {
    await must('ip', [...(route.some((word) => word.startsWith('fd')) ? ['-6'] : []), 'route', 'add', ...route]);
  }
  const { routes } = await stage.kernel.facts();
  const ours = routes.filter(({ link }) => link === BRIDGE).map(({ destination }) => destination);
  expect(ours.sort()).toEqual(['10.45.0.0/16', '10.46.0.0/16', '10.48.0.0/16', 'fd45::/64']);
  await must('ip', ['route', 'delete', 'unreachable', '10.47.0.0/16']);
});

test('sandbox facts tell its links and the families with a default route that is not ours', async () => {
  const netns = identify(stage.sandbox.path);
  expect(await stage.kernel.sandboxFacts(netns)).toEqual({ links: ['lo', 'eth0'], foreignDefaultRoutes: [] });
  await stage.sandbox.must('ip', ['route', 'add', 'default', 'dev', 'eth0', 'proto', '157']);
  await stage.sandbox.must('ip', ['-6', 'route', 'add', 'default', 'dev', 'eth0']);
  expect((await stage.kernel.sandboxFacts(netns)).foreignDefaultRoutes).toEqual([6]);
});

test('tagged links are told by tag', async () => {
  await must('ip', ['link', 'add', 'tskother', 'alias', 'somebody', 'type', 'bridge']);
  expect(await stage.kernel.taggedLinks()).toEqual(
    new Map([
      [bridge.tag, BRIDGE],
      [veth.tag, veth.host],
    ]),
  );
});

test('a tagged link that no plan names is an orphan, and is swept; others stay', async () => {
  const orphans = await stage.kernel.orphans([bridge]);
  expect(orphans).toEqual([{ kind: 'link', name: veth.host, tag: veth.tag }]);
  await stage.kernel.sweep(orphans);
  await stage.kernel.sweep(orphans);
  expect(await hasLink(veth.host)).toBe(false);
  expect(await hasLink(BRIDGE)).toBe(true);
  expect(await stage.kernel.orphans([bridge])).toEqual([]);
});

test('an orphan that changed hands before the sweep stays', async () => {
  const orphans = await stage.kernel.orphans([]);
  await must('ip', ['link', 'set', BRIDGE, 'alias', 'mine']);
  await stage.kernel.sweep(orphans);
  expect(await hasLink(BRIDGE)).toBe(true);
  expect(await hasLink(veth.host)).toBe(false);
});
