import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { soleBackend } from '../../src/kernel/firewall-backends.ts';
import { noFirewall } from '../../src/kernel/firewall-executor.ts';
import type { FirewallResource, Plan } from '../../src/plan/resource.ts';
import { must, until } from '../support/lab.ts';
import { bridge, BRIDGE, hasLink, PLACE, Stage, veth } from './kernel-stage.ts';

const calls: string[] = [];
let refuses = false;

async function record(name: string, intents: readonly FirewallResource[]): Promise<void> {
  const links = (await hasLink(veth.host)) ? 'with veth' : 'without veth';
  calls.push(`${name} ${intents.map(({ kind }) => kind).join(' ')} ${links}`);
  if (refuses) throw new Error('firewall refuses');
}

const firewall = soleBackend('iptables', {
  ...noFirewall,
  ensure: (intents) => record('ensure', intents),
  remove: (intents) => record('remove', intents),
  observe: (intents) => Promise.resolve(intents.map((resource) => ({ resource, state: 'missing' }))),
});

const masquerade: FirewallResource = { kind: 'masquerade', family: 4, bridge: BRIDGE, subnet: '172.30.0.0/16' };
const icc: FirewallResource = { kind: 'icc', family: 4, bridge: BRIDGE, allow: true, internal: false };
const address = { kind: 'address', place: PLACE, link: 'eth0', address: '172.30.0.2/16' } as const;
const plan: Plan = [bridge, masquerade, veth, icc, address];

let stage: Stage;
beforeEach(() => {
  calls.length = 0;
  refuses = false;
  stage = new Stage({ firewall });
});
afterEach(() => stage.close());

describe('a plan', () => {
  test('is made link by link, then the firewall once', async () => {
    await stage.ensure(plan);
    expect(calls).toEqual(['ensure masquerade icc with veth']);
  });

  test('is removed firewall first', async () => {
    await stage.ensure(plan);
    calls.length = 0;
    await stage.remove(plan);
    expect(calls).toEqual(['remove masquerade icc with veth']);
    expect(await hasLink(BRIDGE)).toBe(false);
  });

  test('is observed in its own order', async () => {
    await stage.ensure([bridge]);
    const observations = await stage.observe(plan);
    expect(observations.map(({ resource }) => resource)).toEqual(plan);
    expect(observations.map(({ state }) => state)).toEqual(['present', 'missing', 'missing', 'missing', 'missing']);
  });

  test('that fails half-way leaves what was made, and all of it can be removed', async () => {
    const broken: Plan = [...plan, { ...address, link: 'eth9' }];
    await expect(stage.ensure(broken)).rejects.toThrow(/eth9/);
    expect(calls).toEqual([]);
    expect(await hasLink(veth.host)).toBe(true);
    await stage.remove(broken);
    expect(await hasLink(veth.host)).toBe(false);
  });

  test('without firewall intents asks nothing of the firewall', async () => {
    await stage.ensure([bridge]);
    await stage.remove([bridge]);
    expect(calls).toEqual([]);
  });
});

describe('a removal', () => {
  test('goes backwards: what was made last goes first', async () => {
    await stage.ensure(plan);
    const monitor = spawn('ip', ['-o', 'monitor', 'link'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let seen = '';
    monitor.stdout.on('data', (data) => (seen += String(data)));
    // The monitor listens when it tells of a change.
    await until(async () => {
      await must('ip', ['link', 'set', BRIDGE, 'txqueuelen', '999']);
      await must('ip', ['link', 'set', BRIDGE, 'txqueuelen', '1000']);
      return seen !== '';
    });
    await stage.remove(plan);
    const deleted = await until(() => {
      // A bridge that goes tells of its ports as deleted too; those lines name it as their master.
      const lines = seen.split('\n').filter((line) => !line.includes(' master '));
      const links = lines.flatMap((line) => /^Deleted \d+: (\w+)/.exec(line)?.[1] ?? []);
      return links.includes(BRIDGE) && links.includes(veth.host) && links;
    });
    monitor.kill('SIGKILL');
    expect(deleted.indexOf(veth.host)).toBeLessThan(deleted.indexOf(BRIDGE));
  });

  test('goes on after failures and tells them all', async () => {
    await stage.ensure(plan);
    refuses = true;
    const failure = await stage.remove(plan).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AggregateError);
    expect((failure as AggregateError).errors.map(String)).toEqual(['Error: firewall refuses']);
    expect(await hasLink(veth.host)).toBe(false);
    expect(await hasLink(BRIDGE)).toBe(false);
  });

  test('takes addresses along with their veth, and alone where the veth stays', async () => {
    await stage.ensure(plan);
    await stage.remove([address]);
    expect(await stage.sandbox.must('ip', ['-o', 'address', 'show', 'eth0'])).not.toContain('172.30.0.2');
    expect(await hasLink(veth.host)).toBe(true);
  });
});

test('calls may overlap: each sees its own answers', async () => {
  await stage.ensure([bridge]);
  const [facts, states, tagged] = await Promise.all([
    stage.kernel.facts(),
    stage.states([bridge, veth]),
    stage.kernel.taggedLinks(),
    stage.ensure([bridge]),
  ]);
  expect(facts.links.some(({ name }) => name === BRIDGE)).toBe(true);
  expect(states).toEqual(['present', 'missing']);
  expect(tagged.get(bridge.tag)).toBe(BRIDGE);
});

test('a closed kernel opens again when it is used', async () => {
  await stage.kernel.close();
  await stage.ensure([bridge]);
  await stage.kernel.close();
  await stage.kernel.close();
  expect(await must('ip', ['-o', 'link', 'show', BRIDGE])).toContain(BRIDGE);
});
