import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FirewallExecutor } from '../../../../src/kernel/firewall-executor.ts';
import { openIptables } from '../../../../src/kernel/iptables.ts';
import type { RuleOrphan } from '../../../../src/firewall/iptables/rule.ts';
import { network, publish } from '../cases.ts';
import { fakeIptables, type FakeIptables } from './fake-iptables.ts';

const NETWORK = network({ family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' });
const INTENTS = [...NETWORK, publish()];

let execRoot: string;
let fake: FakeIptables;
let firewall: FirewallExecutor;
let whole: string;

beforeEach(async () => {
  execRoot = mkdtempSync(path.join(tmpdir(), 'tsnet-firewall-'));
  fake = fakeIptables();
  firewall = openIptables({ execRoot, run: fake.run });
  await firewall.ensure(INTENTS);
  whole = fake.save(4);
});

afterEach(() => {
  rmSync(execRoot, { recursive: true, force: true });
});

/** What `observe` has to say about the intents that are not present: "kind state: detail". */
async function drift(): Promise<string[]> {
  const seen = await firewall.observe(INTENTS);
  expect(seen.map(({ resource }) => resource)).toEqual(INTENTS);
  return seen
    .filter(({ state }) => state !== 'present')
    .map((one) => `${one.resource.kind} ${one.state}${'detail' in one ? `: ${one.detail}` : ''}`);
}

async function isMended(): Promise<void> {
  await firewall.ensure(INTENTS);
  expect(await drift()).toEqual([]);
}

describe('observe', () => {
  it('finds nothing where nothing happened', async () => {
    expect(await drift()).toEqual([]);
  });

  it('finds a published port missing', async () => {
    fake.restore(4, '*nat\n-F TSNET\n-F TSNET-POSTROUTING\nCOMMIT\n');
    expect(await drift()).toEqual(['masquerade missing', 'hairpin missing', 'publish missing']);
    await isMended();
  });

  it('names the rule that is missing where others are left', async () => {
    fake.restore(4, '*filter\n-D TSNET ! -i tsnet0 -o tsnet0 -j DROP\nCOMMIT\n');
    expect(await drift()).toEqual(['isolate wrong: filter TSNET: rule "! -i tsnet0 -o tsnet0 -j DROP" is missing']);
    await isMended();
    expect(fake.save(4)).toBe(whole);
  });

  it('tells once that the jumps are gone', async () => {
    fake.restore(4, '*filter\n-F FORWARD\nCOMMIT\n*nat\n-F PREROUTING\nCOMMIT\n');
    expect(await drift()).toEqual([
      'isolate wrong: filter: jump FORWARD → TSNET-USER is gone; filter: jump FORWARD → TSNET-FORWARD is gone',
      'masquerade wrong: nat: jump PREROUTING → TSNET is gone',
    ]);
    await isMended();
    expect(fake.save(4)).toBe(whole);
  });

  it('tells what came in front of the jumps', async () => {
    fake.restore(4, '*filter\n-I FORWARD -i eth0 -j ACCEPT\nCOMMIT\n');
    expect(await drift()).toEqual([
      'isolate wrong: filter: jump FORWARD → TSNET-USER comes after "-i eth0 -j ACCEPT"; ' +
        'filter: jump FORWARD → TSNET-FORWARD comes after "-i eth0 -j ACCEPT"',
    ]);
    await isMended();
    expect(fake.save(4)).toContain(
      '-A FORWARD -j TSNET-USER\n-A FORWARD -j TSNET-FORWARD\n-A FORWARD -i eth0 -j ACCEPT\n',
    );
  });

  it('tells that the administrator’s chain comes too late', async () => {
    fake.restore(4, '*filter\n-D FORWARD -j TSNET-USER\n-A FORWARD -j TSNET-USER\nCOMMIT\n');
    expect(await drift()).toEqual(['isolate wrong: filter: jump FORWARD → TSNET-USER is out of order']);
    await isMended();
    expect(fake.save(4)).toBe(whole);
  });

  it('does not mind rules of others behind ours, nor in the administrator’s chain', async () => {
    fake.restore(
      4,
      '*filter\n-A FORWARD -j LOG\n-A TSNET-USER -s 192.0.2.66/32 -j DROP\nCOMMIT\n*nat\n-I POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n',
    );
    expect(await drift()).toEqual([]);
    expect(await firewall.orphans(INTENTS)).toEqual([]);
  });

  it('finds everything missing after a flush of everything, and ensure makes it anew', async () => {
    fake = fakeIptables();
    firewall = openIptables({ execRoot, run: fake.run });
    expect((await drift())[0]).toContain('isolate wrong: raw: chain TSNET-PREROUTING is gone');
    await isMended();
    expect(fake.save(4)).toBe(whole);
  });
});

describe('orphans', () => {
  it('are rules in our chains that no intent explains', async () => {
    const rule = '-p tcp -m tcp --dport 1 -j DNAT --to-destination 172.17.0.9:1';
    fake.restore(4, `*nat\n-I TSNET ${rule}\nCOMMIT\n`);
    const orphans = await firewall.orphans(INTENTS);
    expect(orphans).toEqual([{ kind: 'rule', family: 4, table: 'nat', chain: 'TSNET', rule }]);
    await firewall.sweep(orphans as RuleOrphan[]);
    expect(fake.save(4)).toBe(whole);
  });

  it('are the rules of a network that left', async () => {
    const orphans = await firewall.orphans([]);
    await firewall.sweep(orphans as RuleOrphan[]);
    expect(await firewall.orphans([])).toEqual([]);
    // What all networks share stays.
    expect(fake.save(4)).toContain('-A FORWARD -j TSNET-FORWARD');
  });

  it('are repetitions: the last of them go, since the first is in its place', async () => {
    const lines = whole.split('\n').filter((line) => line.startsWith('-A TSNET'));
    const filter = lines.filter((line) => line.startsWith('-A TSNET ') && !line.includes('DNAT --to-destination'));
    fake.restore(4, `*filter\n${filter.join('\n')}\nCOMMIT\n`);
    const orphans = await firewall.orphans(INTENTS);
    expect(orphans).toHaveLength(filter.length);
    await firewall.sweep(orphans as RuleOrphan[]);
    expect(fake.save(4)).toBe(whole);
  });

  it('that went away by themselves are fine', async () => {
    await firewall.sweep([{ kind: 'rule', family: 4, table: 'nat', chain: 'TSNET', rule: '-j ACCEPT' }]);
    expect(fake.save(4)).toBe(whole);
  });
});

describe('dismantle', () => {
  it('leaves nothing of ours', async () => {
    await firewall.dismantle();
    expect(fake.save(4)).toBe('');
    await firewall.dismantle();
  });

  it('keeps the administrator’s rules in force', async () => {
    fake.restore(4, '*filter\n-A TSNET-USER -s 192.0.2.66/32 -j DROP\n-A FORWARD -j LOG\nCOMMIT\n');
    await firewall.dismantle();
    const rules = fake
      .save(4)
      .split('\n')
      .filter((line) => line.startsWith('-A') || line.startsWith(':TSNET'));
    expect(rules).toEqual([
      ':TSNET-USER - [0:0]',
      '-A FORWARD -j TSNET-USER',
      '-A FORWARD -j LOG',
      '-A TSNET-USER -s 192.0.2.66/32 -j DROP',
    ]);
  });

  it('keeps a chain, emptied, that a rule of somebody else leads to', async () => {
    fake.restore(4, '*filter\n-A INPUT -j TSNET-CT\nCOMMIT\n');
    await firewall.dismantle();
    const rules = fake
      .save(4)
      .split('\n')
      .filter((line) => line.startsWith('-A') || line.startsWith(':TSNET'));
    expect(rules).toEqual([':TSNET-CT - [0:0]', '-A INPUT -j TSNET-CT']);
  });
});
