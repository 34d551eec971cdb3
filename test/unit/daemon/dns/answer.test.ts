import { decode, encode, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openAllowance } from '../../../../src/daemon/dns/allowance.ts';
import { openAnswerer, type Asked, type QueryResult } from '../../../../src/daemon/dns/answer.ts';
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

function stage(
  forward: (query: Query) => Forwarded | Promise<Forwarded> = () => ({ answer: undefined, from: 'upstream' }),
) {
  const ledger = temporaryLedger();
  ledger.changeNetworks((change) => {
    change.putNetwork(network('web'));
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
    remote: { addressesOf: () => [], nameOf: () => undefined },
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
