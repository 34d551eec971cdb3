/** What real nftables makes of the table: it prints the elements as we write them, and takes them back. */
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elementText, parseElement } from '../../src/firewall/nftables/element.ts';
import { frameFaults } from '../../src/firewall/nftables/frame-faults.ts';
import { parseTable, type ListedTable } from '../../src/firewall/nftables/listing.ts';
import { SET_NAMES } from '../../src/firewall/nftables/table.ts';
import type { FirewallExecutor } from '../../src/kernel/firewall-executor.ts';
import { openNftProgram } from '../../src/kernel/nft-program.ts';
import { openNftables } from '../../src/kernel/nftables.ts';
import { runProgram } from '../../src/kernel/run-program.ts';
import type { RuleOrphan } from '../../src/firewall/nftables/drift.ts';
import { Lab, type Host } from '../support/lab.ts';
import { CASES, network, publish } from '../unit/firewall/cases.ts';
import { elementPage } from '../unit/firewall/nftables/element-page.ts';
import { firewallOf, nftOf } from './firewall-scene.ts';

const NETWORK = network({ family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' });

/** The backend through the program, for hosts without the library. */
function throughProgram(host: Host): FirewallExecutor {
  return openNftables({
    execRoot: path.join(host.dir, 'run'),
    nft: openNftProgram((call) =>
      runProgram({ ...call, file: 'nsenter', args: [`--net=${host.path}`, call.file, ...call.args] }),
    ),
  });
}

async function listed(host: Host): Promise<ListedTable> {
  const { nftables } = JSON.parse(await host.must('nft', ['-j', '-p', 'list', 'table', 'inet', 'tsnet'])) as {
    readonly nftables: Record<string, unknown>[];
  };
  return parseTable(nftables);
}

/** The elements in the kernel, sorted, as `elementPage` prints them. */
function pageOf(table: ListedTable): string[] {
  return SET_NAMES.flatMap((set) =>
    [...(table.sets.get(set) ?? [])]
      .map(([key, value]) => `${set} ${elementText(parseElement(set, value === '' ? key : `${key} : ${value}`))}`)
      .sort(),
  );
}

function goldenOf(page: string): string[] {
  let set = '';
  const lines = page.split('\n').flatMap((line) => {
    if (!line.startsWith(' ')) set = line;
    return line.startsWith(' ') ? [`${set} ${line.trim()}`] : [];
  });
  return lines.sort();
}

describe.each([
  ['libnftables', (host: Host) => firewallOf(host, 'nftables')],
  ['the program nft', throughProgram],
])('nftables by %s', (_, open) => {
  let lab: Lab;
  let host: Host;
  let firewall: FirewallExecutor;
  beforeEach(() => {
    lab = new Lab();
    host = lab.host();
    firewall = open(host);
  });
  afterEach(() => {
    lab.close();
  });

  it.each(CASES)('has the elements of $name as the golden file has them, and lets go of them', async (which) => {
    for (let time = 0; time < 2; time += 1) {
      await firewall.ensure(which.intents);
      const table = await listed(host);
      expect(pageOf(table).sort()).toEqual(goldenOf(elementPage(which)));
      expect(frameFaults(table)).toEqual([]);
    }
    expect((await firewall.observe(which.intents)).map(({ state }) => state)).toEqual(
      which.intents.map(() => 'present'),
    );
    expect(await firewall.orphans(which.intents)).toEqual([]);
    expect(await firewall.remains()).toBe(true);

    await firewall.remove(which.intents);
    await firewall.remove(which.intents);
    expect(await firewall.orphans([])).toEqual([]);
    await firewall.dismantle();
    expect(await firewall.remains()).toBe(false);
    expect(await host.must('nft', ['list', 'tables'])).toBe('');
  });

  it('names what `nft flush ruleset` took, and one ensure brings it back', async () => {
    const intents = [...NETWORK, publish()];
    await firewall.ensure(intents);
    const before = pageOf(await listed(host));
    await host.must('nft', ['flush', 'ruleset']);
    expect((await firewall.observe(intents)).map(({ state }) => state)).toEqual(intents.map(() => 'missing'));
    await firewall.ensure([publish()]);
    await firewall.ensure(intents);
    expect(pageOf(await listed(host))).toEqual(before);
    expect((await firewall.observe(intents)).every(({ state }) => state === 'present')).toBe(true);
  });

  it.each([
    ['flush chain inet tsnet forward', 'chain forward: all rules are gone'],
    ['add chain inet tsnet forward { policy drop ; }', 'chain forward: hook is "filter forward 0 drop"'],
    ['insert rule inet tsnet enter accept', 'chain enter: has 1 rules that are not ours'],
    ['delete element inet tsnet leave { ipv4 . "tsnet0" }', 'leave: element "ipv4 . tsnet0" is missing'],
  ])('mends `nft %s` and touches nothing else', async (command, fault) => {
    const intents = [...NETWORK, publish()];
    await firewall.ensure(intents);
    await host.must('nft', ['add', 'element', 'inet', 'tsnet', 'ports4', '{ tcp . 9 : 10.9.9.9 . 9 }']);
    await host.must('nft', [command]);
    const wrong = (await firewall.observe(intents)).filter(({ state }) => state !== 'present');
    expect(wrong).toEqual([expect.objectContaining({ state: 'wrong', detail: fault })]);
    await firewall.ensure(NETWORK);
    expect((await firewall.observe(intents)).every(({ state }) => state === 'present')).toBe(true);
    expect(await firewall.orphans(intents)).toHaveLength(1);
  });

  it('turns a published port round that somebody led elsewhere', async () => {
    await firewall.ensure([...NETWORK, publish({ to: '172.17.0.9' })]);
    expect(await firewall.observe([publish()])).toEqual([
      expect.objectContaining({
        state: 'wrong',
        detail: expect.stringContaining('leads to 172.17.0.9 . 80') as string,
      }),
    ]);
    await firewall.ensure([publish()]);
    expect((await firewall.observe([publish()]))[0]?.state).toBe('present');
  });

  it('leaves tsnet-user and the tables of others alone', async () => {
    await host.must('nft', [
      'add table inet theirs; add chain inet theirs forward { type filter hook forward priority 10; policy drop; }',
    ]);
    await firewall.ensure(NETWORK);
    await host.must('nft', ['add rule inet tsnet tsnet-user iifname "eth7" ip saddr 192.0.2.66 drop']);
    await host.must('nft', ['add rule inet tsnet tsnet-user meta nfproto . iifname @bridges ip daddr 192.0.2.67 drop']);
    const theirs = async () => [
      await host.must('nft', ['list', 'table', 'inet', 'theirs']),
      await host.must('nft', ['list', 'chain', 'inet', 'tsnet', 'tsnet-user']),
    ];
    const before = await theirs();
    expect(before[1]).toContain('192.0.2.67');

    await host.must('nft', ['flush', 'chain', 'inet', 'tsnet', 'forward']);
    await firewall.ensure([...NETWORK, publish()]);
    await firewall.remove([publish()]);
    await firewall.sweep((await firewall.orphans([])) as RuleOrphan[]);
    await firewall.dismantle();
    expect(await theirs()).toEqual(before);
    expect(await firewall.remains()).toBe(false);
    const forward = await host.must('nft', ['list', 'chain', 'inet', 'tsnet', 'forward']);
    expect(forward.match(/jump tsnet-user/g)).toHaveLength(1);

    // And back.
    await firewall.ensure(NETWORK);
    expect((await firewall.observe(NETWORK)).every(({ state }) => state === 'present')).toBe(true);
    expect(await theirs()).toEqual(before);
  });

  it.each(['dormant', 'owner'])('is not disturbed by a table of somebody else with the flag %s', async (flag) => {
    // A table with an owner is there for as long as the socket of its owner.
    const other = nftOf(host);
    expect(await other.apply(`add table inet other { flags ${flag}; }`)).toBe(undefined);
    await firewall.ensure(NETWORK);
    expect((await firewall.observe(NETWORK)).every(({ state }) => state === 'present')).toBe(true);
    await firewall.remove(NETWORK);
    expect(await firewall.orphans([])).toEqual([]);
    await firewall.dismantle();
    expect(await host.must('nft', ['list', 'tables', 'inet'])).toBe('table inet other');
    expect(await other.apply('delete table inet other')).toBe(undefined);
  });

  it('sees that somebody put the table to sleep, and wakes it', async () => {
    const intents = [...NETWORK, publish()];
    await firewall.ensure(intents);
    const before = await host.must('nft', ['list', 'table', 'inet', 'tsnet']);
    await host.must('nft', ['add table inet tsnet { flags dormant; }']);
    expect((await firewall.observe(intents)).map((one) => `${one.state} ${'detail' in one ? one.detail : ''}`)).toEqual(
      intents.map(() => 'wrong table inet tsnet is dormant (nft flag): its rules do nothing'),
    );
    await firewall.ensure(intents);
    expect((await firewall.observe(intents)).every(({ state }) => state === 'present')).toBe(true);
    expect(await host.must('nft', ['list', 'table', 'inet', 'tsnet'])).toBe(before);
  });

  it('keeps every published port that 20 processes ask for at once', async () => {
    await firewall.ensure(NETWORK);
    const ports = Array.from({ length: 20 }, (_, index) =>
      publish({ hostPort: 5000 + index, to: `172.17.0.${index + 2}` }),
    );
    await Promise.all(ports.map((port) => open(host).ensure([port])));
    expect((await firewall.observe(ports)).every(({ state }) => state === 'present')).toBe(true);
    await Promise.all(ports.map((port) => open(host).remove([port])));
    expect(await firewall.orphans(NETWORK)).toEqual([]);
  });

  it('changes no rule when a network or a port comes or goes', async () => {
    await firewall.ensure(NETWORK);
    const rules = async () => (await host.must('nft', ['-a', '-t', 'list', 'table', 'inet', 'tsnet'])).split('\n');
    const before = await rules();
    const more = network({ family: 4, bridge: 'br-web', subnet: '172.18.0.0/16' });
    await firewall.ensure([
      ...more,
      publish(),
      publish({ protocol: 'udp', hostPort: 10_000, containerPort: 10_000, count: 50_001 }),
    ]);
    expect((await listed(host)).sets.get('ranges4')?.size).toBe(1);
    expect(await rules()).toEqual(before);
    await firewall.remove([...more, publish()]);
    expect(await rules()).toEqual(before);
  });
});
