import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FirewallExecutor } from '../../../../src/kernel/firewall-executor.ts';
import { openIptables } from '../../../../src/kernel/iptables.ts';
import type { FirewallResource } from '../../../../src/plan/resource.ts';
import { CASES, icc, isolate, network, publish } from '../cases.ts';
import { fakeIptables, type FakeIptables } from './fake-iptables.ts';

const BRIDGE = { family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' } as const;
const NETWORK = network(BRIDGE);

let execRoot: string;
let fake: FakeIptables;
let firewall: FirewallExecutor;

beforeEach(() => {
  execRoot = mkdtempSync(path.join(tmpdir(), 'tsnet-firewall-'));
  fake = fakeIptables();
  firewall = openIptables({ execRoot, run: fake.run });
});

afterEach(() => {
  rmSync(execRoot, { recursive: true, force: true });
});

/** The rules alone, of both families. */
function rules(): string[] {
  return `${fake.save(4)}${fake.save(6)}`.split('\n').filter((line) => line.startsWith('-A'));
}

/** The programs that `work` runs. */
async function programs(work: () => Promise<unknown>): Promise<string[]> {
  const before = fake.calls.length;
  await work();
  return fake.calls.slice(before);
}

describe('ensure', () => {
  it('makes a change with one restore', async () => {
    expect(await programs(() => firewall.ensure([...NETWORK, publish()]))).toEqual([
      'iptables-save',
      'iptables-restore',
    ]);
  });

  it('asks for IPv6 programs only where there are IPv6 intents', async () => {
    const both = [publish(), publish({ family: 6, hostAddress: '::', to: 'fd00:17::4' })];
    await firewall.ensure(both);
    expect(fake.calls.toSorted()).toEqual(['ip6tables-restore', 'ip6tables-save', 'iptables-restore', 'iptables-save']);
  });

  it('writes nothing the second time', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    const before = rules();
    expect(await programs(() => firewall.ensure([...NETWORK, publish()]))).toEqual(['iptables-save']);
    expect(rules()).toEqual(before);
  });

  it('adds a new published port without reading the tables', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    const next = publish({ hostPort: 9000, to: '172.17.0.5' });
    expect(await programs(() => firewall.ensure([next]))).toEqual(['iptables-restore']);
    expect(rules()).toContain('-A TSNET -p tcp -m tcp --dport 9000 -j DNAT --to-destination 172.17.0.5:80');
  });

  it('adds a published port again without reading, once it was withdrawn', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    const before = rules();
    await firewall.remove([publish()]);
    expect(await programs(() => firewall.ensure([publish()]))).toEqual(['iptables-restore']);
    expect(rules().toSorted()).toEqual(before.toSorted());
  });

  it('reads the tables where a published port may be there', async () => {
    await firewall.ensure(NETWORK);
    await firewall.ensure([publish()]);
    const before = rules();
    expect(await programs(() => firewall.ensure([publish()]))).toEqual(['iptables-save']);
    expect(rules()).toEqual(before);
  });

  it('keeps a rule that two published ports share single', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    await firewall.ensure([publish({ hostPort: 8081 })]);
    expect(rules().filter((rule) => rule.includes('-s 172.17.0.4/32'))).toHaveLength(1);
  });

  it('takes nothing for absent after its exec-root was lost', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    const before = rules();
    rmSync(execRoot, { recursive: true });
    await firewall.ensure([publish()]);
    expect(rules()).toEqual(before);
  });

  it('makes the chains where they were lost meanwhile', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    const before = rules();
    fake.restore(
      4,
      '*nat\n-F PREROUTING\n-F OUTPUT\n-F POSTROUTING\n-F TSNET\n-F TSNET-POSTROUTING\n-X TSNET\n-X TSNET-POSTROUTING\nCOMMIT\n',
    );
    await firewall.ensure([publish({ hostPort: 9000 })]);
    await firewall.remove([publish({ hostPort: 9000 })]);
    await firewall.ensure([...NETWORK, publish()]);
    expect(rules()).toEqual(before);
  });

  it('reads again where somebody else changed the tables in between', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    fake.interfere(4, '*nat\n-D TSNET -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.4:80\nCOMMIT\n');
    await firewall.remove([publish()]);
    expect(rules().filter((rule) => rule.includes('172.17.0.4'))).toEqual([]);
  });

  it('puts accepts in front of drops, whenever they come', async () => {
    await firewall.ensure([isolate(BRIDGE), icc(BRIDGE)]);
    await firewall.ensure([publish({ mode: 'routed' })]);
    const chain = rules().filter((rule) => rule.startsWith('-A TSNET ') && /ACCEPT|DROP/.test(rule));
    expect(chain.map((rule) => rule.split(' ').at(-1))).toEqual(['ACCEPT', 'ACCEPT', 'DROP']);
  });
});

describe('remove', () => {
  it('takes duplicates away too', async () => {
    await firewall.ensure([...NETWORK, publish()]);
    const copy = fake
      .save(4)
      .split('\n')
      .filter((line) => line.startsWith('-A TSNET '));
    fake.restore(4, `*nat\n${copy.filter((line) => line.includes('DNAT --to')).join('\n')}\nCOMMIT\n`);
    await firewall.remove([publish()]);
    expect(rules().filter((rule) => rule.includes('172.17.0.4'))).toEqual([]);
  });

  it('is content with what is gone', async () => {
    await firewall.remove([...NETWORK, publish()]);
    await firewall.ensure(NETWORK);
    expect(await programs(() => firewall.remove([publish()]))).toEqual(['iptables-save']);
  });

  it('keeps what another published port of the same container port needs', async () => {
    await firewall.ensure([...NETWORK, publish({ hostPort: 8081 })]);
    const before = rules();
    await firewall.ensure([publish()]);
    await firewall.remove([publish()]);
    expect(rules()).toEqual(before);
  });

  it('closes before it takes protection away', async () => {
    const loopback = publish({ hostAddress: '127.0.0.1' });
    await firewall.ensure([...NETWORK, loopback]);
    let text = '';
    const spy = openIptables({ execRoot, run: (call) => ((text ||= call.input), fake.run(call)) });
    await spy.remove([loopback]);
    expect(text.split('\n').filter((line) => line.startsWith('*'))).toEqual(['*nat', '*raw']);
  });
});

// A hundred histories each: on a busy machine more than the five seconds that a test has.
describe('what is ensured and removed', { timeout: 30_000 }, () => {
  const intents = fc.subarray([...new Set(CASES.flatMap((each) => each.intents))]);

  it('leaves no rule of a network behind, whatever came and went before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), intents), { maxLength: 5 }), intents, async (history, last) => {
        for (const [adds, some] of history) await (adds ? firewall.ensure(some) : firewall.remove(some));
        await firewall.ensure(last);
        expect((await firewall.observe(last)).filter(({ state }) => state !== 'present')).toEqual([]);
        await firewall.remove(CASES.flatMap((each): readonly FirewallResource[] => each.intents));
        expect(await firewall.orphans([])).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('makes each rule once, however often and in whatever portions it is asked for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(intents, { maxLength: 6 }), async (portions) => {
        for (const some of portions) await firewall.ensure(some);
        const lines = `${fake.save(4)}\n`.split('\n').filter((line) => line.startsWith('-A'));
        // nat and filter each have a chain TSNET: equal rules of different tables do not occur.
        expect(new Set(lines).size).toBe(lines.length);
      }),
      { numRuns: 60 },
    );
  });
});

describe('errors', () => {
  it('say what to do where iptables is not installed', async () => {
    const gone = openIptables({
      execRoot,
      run: () => Promise.reject(Object.assign(new Error('spawn iptables-save ENOENT'), { code: 'ENOENT' })),
    });
    await expect(gone.ensure(NETWORK)).rejects.toMatchObject({
      code: 'FIREWALL',
      message: expect.stringContaining('install iptables or set "iptables": false') as string,
    });
  });

  it.runIf(process.geteuid?.() === 0)('name the rule that was refused and keep what the program said', async () => {
    const stderr =
      'iptables-restore v1.8.9 (nf_tables): \nline 4: RULE_APPEND failed (No such file or directory): rule in chain X';
    const refusing = openIptables({
      execRoot,
      run: (call) =>
        Promise.resolve(
          call.file.endsWith('-save') ? { status: 0, stdout: '', stderr: '' } : { status: 4, stdout: '', stderr },
        ),
    });
    await expect(refusing.ensure([isolate(BRIDGE)])).rejects.toMatchObject({
      code: 'FIREWALL',
      message: expect.stringContaining('at "-I PREROUTING -j TSNET-PREROUTING"') as string,
      cause: expect.objectContaining({ message: expect.stringContaining('RULE_APPEND failed') as string }) as Error,
    });
  });
});
