import { afterEach, describe, expect, it } from 'vitest';
import type { Healer } from '../../src/daemon/heal/healer.ts';
import { FIREWALL_BACKENDS, must, until, type FirewallBackend, type Namespace } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

let stage: HealStage;
let web: Namespace;
let box: Namespace;

async function open(backend: FirewallBackend, keys: object = {}): Promise<void> {
  stage = new HealStage(backend, keys);
  web = stage.lab.namespace('web');
  box = stage.lab.namespace('box');
  await stage.engine.connect({ network: 'bridge', container: web.path, ports: ['8080:80'] });
  await stage.engine.connect({ network: 'bridge', container: box.path });
}
afterEach(async () => {
  await stage.close();
});

const shell = (command: string): Promise<string> => must('sh', ['-c', command]);
const bare = (text: string): string =>
  text
    .replace(/packets \d+ bytes \d+|\[\d+:\d+\]|# (Generated|Completed).*/g, '')
    .replace(/(valid_lft|preferred_lft) \S+/g, '');
const rules = async (): Promise<string> => bare(await must('nft', ['-a', 'list', 'ruleset']));
const links = async (): Promise<string> =>
  bare(await shell('ip -o link; ip -o address; ip route')) +
  bare(await web.must('sh', ['-c', 'ip -o link; ip -o address; ip route']));

const QUIET_MS = 400;

/**
 * Waits until nothing has been looked at for a while; the looks until then. The kernel tells of what was made up to two seconds
 * later: an address that it has found to be nobody else's.
 */
async function atRest(healer: Healer): Promise<number> {
  await until(async () => (await shell('ip -6 -o address show tentative')) === '');
  let { looks } = healer.state();
  let since = performance.now();
  await until(() => {
    const now = healer.state().looks;
    if (now !== looks) [looks, since] = [now, performance.now()];
    return performance.now() - since > QUIET_MS;
  });
  return looks;
}

describe.each(FIREWALL_BACKENDS)('self-healing, with %s,', (backend) => {
  it('touches nothing when nothing is wrong, and begins without a change', async () => {
    await open(backend);
    const before = [await rules(), await links()];
    await stage.heal();
    expect([await rules(), await links()]).toEqual(before);
    expect(stage.repaired).toEqual([]);
  });

  it('leaves links alone when rules were flushed, and rules when a link went', async () => {
    await open(backend);
    await stage.heal();
    const linksBefore = await links();
    await shell('nft flush ruleset');
    await until(() => stage.repaired.length > 0);
    await stage.healer?.settled();
    expect(await links()).toBe(linksBefore);
    const rulesBefore = await rules();
    const webBefore = await web.must('ip', ['-o', 'link']);
    const found = stage.repaired.length;
    await box.must('ip', ['link', 'delete', 'eth0']);
    await until(() => stage.repaired.length > found);
    await until(async () => (await stage.engine.diff()).length === 0);
    expect(await rules()).toBe(rulesBefore);
    expect(await web.must('ip', ['-o', 'link'])).toBe(webBefore);
  });

  it('backs off from somebody who undoes it again and again, says so once, and forgets it', async () => {
    await open(backend);
    let now = Date.now();
    const started = performance.now();
    const healer = await stage.heal({ context: { ...stage.context, now: () => now + (performance.now() - started) } });
    const undo = backend === 'iptables' ? 'iptables -t nat -F' : "nft 'flush map inet tsnet ports4'";
    const end = performance.now() + 4_000;
    await until(async () => {
      await shell(undo).catch(() => undefined);
      return performance.now() > end;
    }, 10_000);
    const times = stage.repaired.filter(({ what }) => what.includes('publish')).length;
    // At 0, 0, 0.25, 0.75, 1.75, 3.75 s: some hundred attempts were made.
    expect(times).toBeGreaterThan(3);
    expect(times).toBeLessThan(9);
    const flapping = healer.state().flapping.find(({ what }) => what.includes('publish'));
    expect(flapping?.times).toBe(times);
    expect(
      stage.logged.filter(({ level, fields }) => level === 'warn' && JSON.stringify(fields).includes('publish')),
    ).toHaveLength(1);
    // An hour of peace.
    now += 3_600_000;
    expect(healer.state().flapping).toEqual([]);
    await until(async () => (await stage.engine.diff()).length === 0, 20_000);
  });

  it('does nothing with "self-heal": false', async () => {
    await open(backend, { 'self-heal': false });
    const healer = await stage.heal();
    await shell('nft flush ruleset');
    await healer.sync();
    await until(async () => (await stage.engine.diff()).length > 0);
    expect(stage.repaired).toEqual([]);
    expect(healer.state()).toMatchObject({ enabled: false, looks: 0 });
  });

  it('does not look at what has nothing to do with us', async () => {
    await open(backend);
    const healer = await stage.heal();
    const looks = await atRest(healer);
    for (let count = 0; count < 20; count++) {
      await shell(
        'ip link add foreign0 type veth peer name foreign1; ip address add 10.99.0.1/24 dev foreign0; ip link set foreign0 up; ip link delete foreign0',
      );
    }
    await healer.settled();
    // Kernel parameters are told without a link: reading them is not a look.
    expect(healer.state().looks).toBe(looks);
  });

  it('comes to rest after a change of our own, by this process or another', async () => {
    await open(backend);
    const healer = await stage.heal();
    const { looks } = healer.state();
    await stage.engine.publish({ network: 'bridge', container: web.path, ports: ['9090:80'] });
    await stage.tsnet(['publish', 'bridge', box.path, '9091:80']);
    await stage.tsnet(['disconnect', 'bridge', box.path]);
    await healer.settled();
    expect(stage.repaired).toEqual([]);
    expect(healer.state().looks - looks).toBeLessThan(12);
    // It comes to rest at all.
    await atRest(healer);
  });
});

describe('self-healing of 200 endpoints', () => {
  it.each(FIREWALL_BACKENDS)(
    'takes about as long as of one, with %s',
    async (backend) => {
      await open(backend);
      const many = Array.from({ length: 198 }, () => stage.lab.namespace('c'));
      for (const [index, { path }] of many.entries()) {
        await stage.engine.connect({ network: 'bridge', container: path, ports: [`${String(10_000 + index)}:80`] });
      }
      await stage.heal();
      const damage: [string, () => Promise<unknown>][] = [
        ['nft flush ruleset', () => shell('nft flush ruleset')],
        ['ip address flush', () => shell('ip address flush dev tsnet0')],
        ['link delete in a container', () => must('ip', ['-n', many[100]?.name ?? '', 'link', 'delete', 'eth0'])],
        ['bridge', () => shell('ip link delete tsnet0')],
      ];
      for (const [what, break_] of damage) {
        const before = stage.repaired.length;
        const started = performance.now();
        await break_();
        await until(() => stage.repaired.length > before, 10_000);
        // The promise is a second, on a machine that has nothing else to do.
        expect(performance.now() - started, what).toBeLessThan(5_000);
        await stage.healer?.settled();
        expect(await stage.engine.diff()).toEqual([]);
      }
    },
    180_000,
  );
});
