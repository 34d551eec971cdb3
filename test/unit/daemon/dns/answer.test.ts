import { decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openAllowance } from '../../../../src/daemon/dns/allowance.ts';
import { openAnswerer, type Asked, type QueryResult, type RemoteNames } from '../../../../src/daemon/dns/answer.ts';
import type { Forwarded } from '../../../../src/daemon/dns/forwarder.ts';
import type { Query } from '../../../../src/daemon/dns/message.ts';
import { openNetworkIndex } from '../../../../src/daemon/dns/own-names.ts';
import { openRotation } from '../../../../src/daemon/dns/rotation.ts';
import { endpoint, idOf, network, sandbox } from '../../store/records.ts';
import { temporaryLedger } from '../../store/temporary-ledger.ts';
import { queryBytes } from './queries.ts';

function neverAsked(): never {
  throw new Error('the forwarder of this test asks nobody');
}

const NO_OTHER_HOSTS: RemoteNames = { addressesOf: () => [], nameOf: () => undefined };

function stage(
  forward: (query: Query) => Forwarded | Promise<Forwarded> = () => ({ answer: undefined, from: 'upstream' }),
  remote: RemoteNames = NO_OTHER_HOSTS,
) {
  const ledger = temporaryLedger();
  ledger.changeNetworks((change) => {
    change.putNetwork(network('web', { scope: remote === NO_OTHER_HOSTS ? 'local' : 'global' }));
  });
  ledger.change((change) => {
    change.putSandbox(sandbox('asker'));
    change.putEndpoint(endpoint('web', 'asker'));
    for (let number = 0; number < 60; number += 1) {
      change.putSandbox(sandbox(`c${number}`));
      const addresses = [{ address: `10.0.1.${number}/16` }, { address: `fd00::${number + 1}/64` }];
      change.putEndpoint(endpoint('web', `c${number}`, { aliases: ['many'], addresses }));
    }
  });
  const results: QueryResult[] = [];
  const forwarded: Query[] = [];
  const place = { key: 'test', datagram: neverAsked, stream: neverAsked };
  const answer = openAnswerer({
    ledger,
    networkIndex: openNetworkIndex(),
    rotate: openRotation(),
    forwarder: {
      forward: (query) => {
        forwarded.push(query);
        return forward(query);
      },
    },
    remote,
    upstreamsOf: () => ({ place, servers: [{ address: '192.0.2.1', port: 53 }] }),
    onQuery: (result) => results.push(result),
  });
  const allowance = openAllowance(() => 0);
  const ask = (bytes: Buffer, change: Partial<Asked> = {}): Promise<Buffer | undefined> =>
    answer({ sandboxId: idOf('sandbox asker'), bytes, transport: 'udp', allowance, ...change });
  return { ledger, ask, results, forwarded };
}

it('answers garbage with nothing or a refusal, and never fails', async () => {
  const { ask, forwarded } = stage();
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.nat(60), fc.nat(255)).map(([at, value]) => {
      const bytes = queryBytes('c1.web', { udpBytes: 1300 });
      bytes[at % bytes.length] = value;
      return bytes;
    }),
  );
  await fc.assert(
    fc.asyncProperty(garbage, async (bytes) => {
      const message = await ask(Buffer.from(bytes));
      if (message === undefined) return;
      expect(message.readUInt16BE(0)).toBe(Buffer.from(bytes).readUInt16BE(0));
      expect(message.readUInt16BE(2) & 0x8000).toBe(0x8000);
    }),
    { numRuns: 1000 },
  );
  expect(forwarded.length).toBeGreaterThan(0);
});

it('fits every answer into what the asker takes', async () => {
  const { ask } = stage();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 512, max: 5000 }),
      fc.constantFrom<RecordType>('A', 'AAAA'),
      async (udpBytes, type) => {
        const message = (await ask(queryBytes('many', { udpBytes, type }))) ?? Buffer.alloc(0);
        expect(message.length).toBeLessThanOrEqual(udpBytes);
        const { answers = [], additionals = [], flag_tc } = decode(message);
        expect(additionals).toHaveLength(1);
        expect(flag_tc).toBe(answers.length < 60);
        expect(answers.length).toBeGreaterThan(5);
      },
    ),
    { numRuns: 50 },
  );
  const tcp = decode((await ask(queryBytes('many'), { transport: 'tcp' })) ?? Buffer.alloc(0));
  expect([tcp.answers?.length, tcp.flag_tc]).toEqual([60, false]);
});

it('hands whole zones to nobody, and neither own names nor their other types to nameservers', async () => {
  const { ask, results, forwarded } = stage();
  const rcode = async (name: string, type: RecordType): Promise<unknown> =>
    (decode((await ask(queryBytes(name, { type }))) ?? Buffer.alloc(0)) as { rcode?: string }).rcode;
  expect(await rcode('example.org', 'AXFR')).toBe('REFUSED');
  expect(await rcode('c1', 'MX')).toBe('NOERROR');
  expect(await rcode('c1.web', 'TXT')).toBe('NOERROR');
  expect(forwarded).toEqual([]);
  expect(await rcode('example.org', 'MX')).toBe('SERVFAIL');
  expect(results).toEqual(['refused', 'local', 'local', 'failed']);
});

it('lets a change of the ledger be seen by the next question', async () => {
  const { ask, ledger } = stage();
  const addresses = async (): Promise<unknown> => decode((await ask(queryBytes('c1'))) ?? Buffer.alloc(0)).answers;
  expect(await addresses()).toMatchObject([{ data: '10.0.1.1' }]);
  ledger.change((change) => {
    change.putEndpoint(endpoint('web', 'c1', { addresses: [{ address: '10.0.9.9/16' }] }));
  });
  expect(await addresses()).toMatchObject([{ data: '10.0.9.9' }]);
  ledger.change((change) => {
    change.deleteEndpoint(idOf('endpoint web asker'));
  });
  expect(await addresses()).toEqual([]);
});

it('cuts what is forwarded to what the asker takes', async () => {
  const large = encode({
    type: 'response',
    id: 7,
    questions: [{ type: 'A', name: 'x.org' }],
    answers: Array.from(
      { length: 100 },
      (_, index) => ({ type: 'A', name: 'x.org', data: `192.0.2.${index}` }) as const,
    ),
  });
  const { ask } = stage(() => ({ answer: large, from: 'upstream' }));
  const udp = (await ask(queryBytes('x.org'))) ?? Buffer.alloc(0);
  expect([udp.length <= 512, decode(udp).flag_tc]).toEqual([true, true]);
  expect(await ask(queryBytes('x.org'), { transport: 'tcp' })).toEqual(large);
});

it('bounds the questions of one sandbox: so many a second, so many at a time', async () => {
  const clock = { ms: 0 };
  const allowance = openAllowance(() => clock.ms);
  const count = (): number => {
    let admitted = 0;
    while (allowance.admit()) admitted += 1;
    return admitted;
  };
  expect(count()).toBe(5000);
  clock.ms += 100;
  expect(count()).toBe(500);
  clock.ms += 60_000;
  expect(count()).toBe(5000);

  const never = new Promise<Forwarded>(() => undefined);
  const { ask, results } = stage(() => never);
  for (let waiting = 0; waiting < 256; waiting += 1) void ask(queryBytes(`n${waiting}.org`), { allowance });
  const { rcode } = decode((await ask(queryBytes('more.org'), { allowance })) ?? Buffer.alloc(0)) as { rcode?: string };
  expect([rcode, results]).toEqual(['SERVFAIL', ['refused']]);
  // Its own names are answered all the same.
  expect(decode((await ask(queryBytes('c1'), { allowance })) ?? Buffer.alloc(0)).answers).toHaveLength(1);
});

describe('a network of many hosts', () => {
  const ANSWERS: Readonly<Record<string, readonly string[]>> = { far: ['10.0.9.1', 'fd00::9'], c1: ['10.0.9.2'] };
  const told = async (remote: RemoteNames, name: string, type: RecordType = 'A') => {
    const { ask, forwarded } = stage(undefined, remote);
    const message = decode((await ask(queryBytes(name, { type }))) ?? Buffer.alloc(0));
    const data = (message.answers ?? []).map((answer) => ('data' in answer ? (answer.data as string) : '')).sort();
    return { data, rcode: (message as { rcode?: string }).rcode, isForwarded: forwarded.length > 0 };
  };

  it('has the names of all of them, those of this one beside', async () => {
    const remote: RemoteNames = {
      addressesOf: (_network, name) => Promise.resolve(ANSWERS[name] ?? []),
      nameOf: (_network, address) => Promise.resolve(address === '10.0.9.1' ? 'far' : undefined),
    };
    expect((await told(remote, 'far')).data).toEqual(['10.0.9.1']);
    expect((await told(remote, 'FAR.web', 'AAAA')).data).toEqual(['fd00::9']);
    expect((await told(remote, 'c1')).data).toEqual(['10.0.1.1', '10.0.9.2']);
    expect((await told(remote, '1.9.0.10.in-addr.arpa', 'PTR')).data).toEqual(['far.web']);
    expect(await told(remote, '2.9.0.10.in-addr.arpa', 'PTR')).toMatchObject({ data: [], rcode: 'NXDOMAIN' });
    expect(await told(remote, 'nobody')).toMatchObject({ isForwarded: true });
  });

  it('says neither yes nor no to what nobody can say now, but for names of its own', async () => {
    const remote: RemoteNames = {
      addressesOf: (_network, name) => (name.includes('.') ? [] : Promise.reject(new Error('no store'))),
      nameOf: () => Promise.reject(new Error('no store')),
    };
    expect(await told(remote, 'far')).toMatchObject({ data: [], rcode: 'SERVFAIL', isForwarded: false });
    expect((await told(remote, 'c1')).data).toEqual(['10.0.1.1']);
    expect(await told(remote, '1.9.0.10.in-addr.arpa', 'PTR')).toMatchObject({ rcode: 'SERVFAIL' });
    // Not ours, and the store is not asked for it.
    expect(await told(remote, 'www.example.org')).toMatchObject({ isForwarded: true });
  });
});
