/** What real iptables makes of the rules: both variants print them as we write them, and take them back. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSave } from '../../src/firewall/iptables/save.ts';
import type { RuleOrphan } from '../../src/firewall/iptables/rule.ts';
import { Lab, type Host } from '../support/lab.ts';
import { CASES, network, publish } from '../unit/firewall/cases.ts';
import { firewallOf, IPTABLES_VARIANTS, savedRules } from './firewall-scene.ts';

const NETWORK = network({ family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' });
const GOLDEN = path.join(import.meta.dirname, '../unit/firewall/iptables/golden');

describe.each(IPTABLES_VARIANTS)('%s', (variant) => {
  let lab: Lab;
  let host: Host;
  beforeEach(() => {
    lab = new Lab();
    host = lab.host();
  });
  afterEach(() => {
    lab.close();
  });

  it.each(CASES)('prints the rules of $name as the golden file has them, and lets go of them', async (which) => {
    const firewall = firewallOf(host, variant);
    const page = readFileSync(path.join(GOLDEN, `${which.name}.txt`), 'utf8');
    const printed = async () => [
      byChain(await host.must(`${variant}-save`)),
      byChain(await host.must(`${variant.replace('ip', 'ip6')}-save`)),
    ];
    const [ipv4 = '', ipv6 = ''] = page.split('# ip6tables-save');
    const golden = ipv4.includes('# iptables-save') ? [byChain(ipv4), byChain(ipv6)] : [{}, byChain(ipv6)];

    await firewall.ensure(which.intents);
    expect(await printed()).toEqual(golden);
    await firewall.ensure(which.intents);
    expect(await printed()).toEqual(golden);
    expect((await firewall.observe(which.intents)).map(({ state }) => state)).toEqual(
      which.intents.map(() => 'present'),
    );
    expect(await firewall.orphans(which.intents)).toEqual([]);

    await firewall.remove(which.intents);
    expect(await firewall.orphans([])).toEqual([]);
    await firewall.dismantle();
    expect(await printed()).toEqual([{}, {}]);
  });

  it('names what `iptables -F` took, and ensure brings it back', async () => {
    const firewall = firewallOf(host, variant);
    const intents = [...NETWORK, publish()];
    await firewall.ensure(intents);
    const before = await savedRules(host, variant);
    await host.must(variant, ['-F']);
    await host.must(variant, ['-t', 'nat', '-F']);
    const seen = await firewall.observe(intents);
    expect(seen.map(({ resource, state }) => `${resource.kind} ${state}`)).toEqual([
      'isolate wrong',
      'icc missing',
      'masquerade wrong',
      'hairpin missing',
      'publish missing',
    ]);
    expect(seen[0]).toHaveProperty('detail', expect.stringContaining('jump FORWARD → TSNET-FORWARD is gone'));
    await firewall.ensure(intents);
    expect(await savedRules(host, variant)).toEqual(before);
  });

  it('leaves TSNET-USER and the rules of others alone', async () => {
    const foreign = [
      '-A FORWARD -i eth7 -j ACCEPT',
      '-A TSNET-USER -s 192.0.2.66/32 -j DROP',
      '-A POSTROUTING -o eth7 -j MASQUERADE',
    ];
    const firewall = firewallOf(host, variant);
    await host.must(variant, ['-P', 'FORWARD', 'DROP']);
    await firewall.ensure(NETWORK);
    await host.must(variant, ['-A', 'FORWARD', '-i', 'eth7', '-j', 'ACCEPT']);
    await host.must(variant, ['-A', 'TSNET-USER', '-s', '192.0.2.66', '-j', 'DROP']);
    await host.must(variant, ['-t', 'nat', '-A', 'POSTROUTING', '-o', 'eth7', '-j', 'MASQUERADE']);
    const theirs = async () => (await savedRules(host, variant)).filter((rule) => foreign.includes(rule));

    await firewall.ensure([...NETWORK, publish()]);
    await firewall.remove([publish()]);
    await firewall.sweep((await firewall.orphans([])) as RuleOrphan[]);
    expect(await theirs()).toHaveLength(3);
    await firewall.dismantle();
    expect(await theirs()).toHaveLength(3);
    expect(await savedRules(host, variant)).toHaveLength(4);
    expect(await host.must(variant, ['-S', 'FORWARD'])).toContain('-P FORWARD DROP');
  });

  it('keeps every published port that 20 processes ask for at once', async () => {
    await firewallOf(host, variant).ensure(NETWORK);
    const ports = Array.from({ length: 20 }, (_, index) =>
      publish({ hostPort: 5000 + index, to: `172.17.0.${index + 2}` }),
    );
    // Executors of their own share nothing but the lock file, as processes do.
    await Promise.all(ports.map((port) => firewallOf(host, variant).ensure([port])));
    const firewall = firewallOf(host, variant);
    expect((await firewall.observe(ports)).every(({ state }) => state === 'present')).toBe(true);
    expect(await firewall.orphans([...NETWORK, ...ports])).toEqual([]);
    await Promise.all(ports.map((port) => firewallOf(host, variant).remove([port])));
    expect(await firewall.orphans(NETWORK)).toEqual([]);
  });
});

/** "table chain" → rules in order, for chains that have some: variants differ in the order of tables and chains. */
function byChain(save: string): Record<string, readonly string[]> {
  const chains = [...parseSave(save)].flatMap(([table, each]) =>
    [...each].map(([chain, { rules }]) => [`${table} ${chain}`, rules] as const),
  );
  return Object.fromEntries(chains.filter(([, rules]) => rules.length > 0));
}
