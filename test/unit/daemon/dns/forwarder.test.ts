/** Against nameservers in this process, over real sockets. */
import { decode } from 'dns-packet';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { UpstreamPlace } from '../../../../src/daemon/dns/exchange.ts';
import { openForwarder, type Forwarder } from '../../../../src/daemon/dns/forwarder.ts';
import { knows, startNameserver, type Behaviour, type Nameserver } from '../../../support/nameserver.ts';
import { query } from './queries.ts';

const running: Nameserver[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

async function nameservers(...behaviours: readonly Behaviour[]): Promise<Nameserver[]> {
  const started: Nameserver[] = [];
  for (const behave of behaviours) {
    started.push(await startNameserver({ address: '127.0.0.1', port: 0 }, behave));
  }
  running.push(...started);
  return started;
}

const place: UpstreamPlace = {
  key: 'here',
  datagram: (family) => createSocket(family === 4 ? 'udp4' : 'udp6'),
  stream: ({ address, port }) => connect(port, address),
};

function upstreams(servers: readonly Nameserver[], key = 'here') {
  return { place: { ...place, key }, servers: servers.map(({ port }) => ({ address: '127.0.0.1', port })) };
}

async function addressFrom(forwarder: Forwarder, servers: readonly Nameserver[], name = 'www.test'): Promise<unknown> {
  const { answer } = await forwarder.forward(query(name), upstreams(servers));
  if (answer === undefined) return undefined;
  const { rcode, answers } = decode(answer) as ReturnType<typeof decode> & { rcode: string };
  const [first] = answers ?? [];
  return first?.type === 'A' ? first.data : rcode;
}

const open = (): Forwarder => openForwarder({ now: () => Date.now() });
const silent: Behaviour = () => undefined;
const fails: Behaviour = () => ({ rcode: 2 });

describe('the first good answer wins', () => {
  it.each([
    ['of the first', [knows('192.0.2.1'), knows('192.0.2.2')], '192.0.2.1', [1, 0]],
    ['of the second when the first is silent', [silent, knows('192.0.2.2')], '192.0.2.2', [1, 1]],
    ['of the third when the others fail', [fails, () => ({ rcode: 5 }), knows('192.0.2.3')], '192.0.2.3', [1, 1, 1]],
    ['"no such name" is one', [() => ({ rcode: 3 }), knows('192.0.2.2')], 'NXDOMAIN', [1, 0]],
    ['of a bad one when there is no better', [() => ({ rcode: 5 }), fails], 'REFUSED', [1, 1]],
  ] as const)('%s', async (_, behaviours, expected, counts) => {
    const servers = await nameservers(...behaviours);
    expect(await addressFrom(open(), servers)).toBe(expected);
    expect(servers.map(({ asked }) => asked.length)).toEqual(counts);
  });

  it('though there is no way to the first', async () => {
    const [second] = await nameservers(knows('192.0.2.2'));
    // The kernel lets nobody connect to it who has not asked for broadcasts.
    const servers = [
      { address: '255.255.255.255', port: 53 },
      { address: '127.0.0.1', port: second?.port ?? 0 },
    ];
    const { answer } = await open().forward(query('www.test'), { place, servers });
    expect(answer === undefined ? undefined : decode(answer).answers?.[0]).toMatchObject({ data: '192.0.2.2' });
  });

  it('and nobody waits again for one that was silent', async () => {
    const servers = await nameservers(silent, knows('192.0.2.2'));
    const forwarder = open();
    for (const name of ['a.test', 'b.test', 'c.test'])
      expect(await addressFrom(forwarder, servers, name)).toBe('192.0.2.2');
    expect(servers.map(({ asked }) => asked.length)).toEqual([1, 3]);
  });

  it('and where nobody listens the next is asked at once', async () => {
    const [gone, well] = await nameservers(silent, knows('192.0.2.2'));
    await running.shift()?.close();
    expect(await addressFrom(open(), [gone, well] as Nameserver[])).toBe('192.0.2.2');
  });

  it('a lost datagram is sent again', async () => {
    const servers = await nameservers(silent);
    const [server] = servers;
    const answer = addressFrom(open(), servers);
    setTimeout(() => {
      if (server !== undefined) server.behave = knows('192.0.2.1');
    }, 300);
    expect(await answer).toBe('192.0.2.1');
    expect(server?.asked).toHaveLength(2);
  });

  it('without nameservers there is none', async () => {
    expect(await addressFrom(open(), [])).toBeUndefined();
  });
});

describe('an answer', () => {
  it('is taken only with the id and the question that were sent, and only from the server that was asked', async () => {
    const servers = await nameservers(({ name }) => ({
      answers: [{ type: 'A', name, ttl: 60, data: '203.0.113.66' }],
      forge: (message) => {
        const forged = Buffer.from(message);
        forged.writeUInt16BE((message.readUInt16BE(0) + 1) & 0xffff, 0);
        return forged;
      },
    }));
    const second = await nameservers(knows('192.0.2.2'));
    expect(await addressFrom(open(), [...servers, ...second])).toBe('192.0.2.2');
    const other = await nameservers(({ name }) => ({
      answers: [{ type: 'A', name, ttl: 60, data: '203.0.113.66' }],
      forge: (message) => Buffer.from(message.toString('latin1').replace('www', 'wwx'), 'latin1'),
    }));
    expect(await addressFrom(open(), [...other, ...second])).toBe('192.0.2.2');
  });

  it('is asked for as it was asked, but for its id and the UDP size that we take', async () => {
    const servers = await nameservers(knows('192.0.2.1'));
    const asked = query('www.test', { type: 'HINFO', udpBytes: 4000 });
    await open().forward(asked, upstreams(servers));
    const expected = Buffer.from(asked.bytes);
    expected.writeUInt16BE(1232, (asked.edns?.at ?? 0) + 2);
    const sent = servers[0]?.questions[0]?.bytes ?? Buffer.alloc(0);
    expect(sent.subarray(2)).toEqual(expected.subarray(2));
  });

  it('is asked for with a new id each time', async () => {
    const servers = await nameservers(knows('192.0.2.1', 0));
    const forwarder = open();
    for (let count = 0; count < 20; count += 1) await addressFrom(forwarder, servers);
    const ids = servers[0]?.questions.map(({ bytes }) => bytes.readUInt16BE(0)) ?? [];
    expect(new Set(ids).size).toBeGreaterThan(15);
  });

  it('is fetched once for all who ask at the same time, each by the id and the spelling of its own', async () => {
    const servers = await nameservers((asked) => ({ ...knows('192.0.2.1')(asked), delayMs: 30 }));
    const forwarder = open();
    const names = ['www.test', 'WWW.test', 'www.TEST'];
    const answers = await Promise.all(
      names.map(async (name, index) => {
        const { answer } = await forwarder.forward(query(name, { id: 100 + index }), upstreams(servers));
        const { id, questions } = decode(answer ?? Buffer.alloc(0));
        return [id, questions?.[0]?.name];
      }),
    );
    expect(answers).toEqual(names.map((name, index) => [100 + index, name]));
    expect(servers[0]?.asked).toHaveLength(1);
  });

  it('is kept for those who ask the same of the same nameservers, and for no others', async () => {
    const servers = await nameservers(knows('192.0.2.1'));
    const forwarder = open();
    const ask = async (key: string, udpBytes?: number) =>
      (await forwarder.forward(query('www.test', udpBytes === undefined ? {} : { udpBytes }), upstreams(servers, key)))
        .from;
    expect(await ask('here')).toBe('upstream');
    expect(await ask('here')).toBe('cache');
    expect(await ask('elsewhere')).toBe('upstream');
    expect(await ask('here', 1400)).toBe('upstream');
    expect(await ask('here', 4000)).toBe('cache');
  });

  it('that was cut is fetched over TCP, and handed on cut where that does not go', async () => {
    const servers = await nameservers(({ name, transport }) =>
      transport === 'udp' ? { truncated: true } : { answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.80' }] },
    );
    expect(await addressFrom(open(), servers)).toBe('192.0.2.80');
    const refusing = await nameservers(({ transport }) => (transport === 'udp' ? { truncated: true } : undefined));
    const { answer } = await open().forward(query('cut.test'), upstreams(refusing));
    expect(decode(answer ?? Buffer.alloc(0))).toMatchObject({ flag_tc: true });
  });
});
