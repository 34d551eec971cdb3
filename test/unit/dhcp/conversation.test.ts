import { describe, expect, it } from 'vitest';
import { acquire, decline, extend, release } from '../../../src/dhcp/conversation.ts';
import { addressesIn } from '../../../src/dhcp/grant.ts';
import { ipv4Bytes } from '../../../src/dhcp/ipv4.ts';
import { OPTION } from '../../../src/dhcp/message.ts';
import { EVERY_MAC } from '../../../src/dhcp/segment.ts';
import { CLIENT, reply, seconds, SERVER, SERVER_MAC, stage, type Answer, type Sent } from './fake-server.ts';

const GIVEN = '192.168.22.50';

/** A server that gives GIVEN, with these options. */
function giving(options: Parameters<typeof reply>[3] = {}, address = GIVEN): Answer {
  return (sent) => {
    if (sent.message.type === 'discover') return [reply(sent, 'offer', address, options)];
    return sent.message.type === 'request' ? [reply(sent, 'ack', address, options)] : [];
  };
}

function types(sent: readonly Sent[]): string[] {
  return sent.map(({ message }) => message.type);
}

describe('acquire', () => {
  it('discovers, requests, and counts the lease from its request', async () => {
    const { talk, sent } = stage(giving());
    const grant = await acquire(talk);
    expect(grant).toMatchObject({ address: GIVEN, length: 24, gateway: '192.168.22.1' });
    expect(types(sent)).toEqual(['discover', 'request']);
    const [discovery, request] = sent as [Sent, Sent];
    expect(request.message.xid).toBe(discovery.message.xid);
    expect(addressesIn(request.message, OPTION.requestedAddress)).toEqual([GIVEN]);
    expect(addressesIn(request.message, OPTION.server)).toEqual([SERVER]);
    for (const { message, envelope } of sent) {
      expect(message).toMatchObject({ from: 'client', mac: CLIENT.mac, broadcast: true, clientAddress: '0.0.0.0' });
      expect(message.options.get(OPTION.clientId)?.toString('hex')).toBe(CLIENT.clientId);
      expect(message.options.get(OPTION.hostName)?.toString()).toBe('tv');
      expect(envelope).toEqual({ from: '0.0.0.0', to: '255.255.255.255', toMac: EVERY_MAC });
    }
    const at = request.atMs;
    expect(grant.lease).toMatchObject({
      server: SERVER,
      serverMac: SERVER_MAC,
      obtainedAtMs: at,
      renewAtMs: at + 1_800_000,
      rebindAtMs: at + 3_150_000,
      expiresAtMs: at + 3_600_000,
    });
  });

  it('takes the times of the server where they are in order', async () => {
    const times = (t1: number, t2: number): Parameters<typeof reply>[3] => ({
      [OPTION.renewalTime]: seconds(t1),
      [OPTION.rebindingTime]: seconds(t2),
    });
    const ordered = stage(giving(times(100, 200)));
    const { lease } = await acquire(ordered.talk);
    expect([lease.renewAtMs - lease.obtainedAtMs, lease.rebindAtMs - lease.obtainedAtMs]).toEqual([100_000, 200_000]);
    const other = (await acquire(stage(giving(times(4000, 200))).talk)).lease;
    expect(other.renewAtMs - other.obtainedAtMs).toBe(1_800_000);
  });

  it('asks ever more slowly, and gives up in time', async () => {
    const { talk, sent, now } = stage(() => []);
    const begin = now();
    await expect(acquire(talk)).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('no DHCP server answered within 12 s') as string,
    });
    expect(sent.map(({ atMs }) => atMs - begin)).toEqual([0, 1500, 4500, 10_500]);
    expect(sent.map(({ message }) => message.seconds)).toEqual([0, 1, 4, 10]);
    expect(now() - begin).toBe(12_000);
  });

  it('hears neither other clients, nor other conversations, nor noise', async () => {
    const { talk } = stage((sent) => [
      Buffer.from('noise'),
      reply({ ...sent, message: { ...sent.message, xid: (sent.message.xid ^ 1) >>> 0 } }, 'offer', '192.168.22.66'),
      reply({ ...sent, message: { ...sent.message, mac: '0a:00:00:00:00:02' } }, 'offer', '192.168.22.66'),
      ...giving()(sent),
    ]);
    expect((await acquire(talk)).address).toBe(GIVEN);
  });

  it('starts again when the server takes its offer back, but not for ever', async () => {
    let refusals = 1;
    const fickle: Answer = (sent) =>
      sent.message.type === 'request' && refusals-- > 0
        ? [reply(sent, 'nak', '0.0.0.0', { [OPTION.message]: Buffer.from('wrong network') })]
        : giving()(sent);
    const { talk, sent } = stage(fickle);
    expect((await acquire(talk)).address).toBe(GIVEN);
    expect(types(sent)).toEqual(['discover', 'request', 'discover', 'request']);
    refusals = 99;
    await expect(acquire(stage(fickle).talk)).rejects.toThrow(/refused it \("wrong network"\)/);
  });

  it('takes a fixed address from whichever server has it', async () => {
    const wish = { address: '192.168.22.70', isFixed: true };
    const two = stage((sent) => [...giving()(sent), ...giving({}, '192.168.22.70')(sent)]);
    expect(await acquire(two.talk, wish)).toMatchObject({ address: '192.168.22.70', lease: { isFixed: true } });
    const one = stage(giving());
    const begin = one.now();
    await expect(acquire(one.talk, wish)).rejects.toThrow(
      /DHCP server 192\.168\.22\.1 gives 192\.168\.22\.50 instead of 192\.168\.22\.70; reserve that there for MAC 0a:00:00:00:00:01 or client id ff:01:02:03:04,/,
    );
    expect(one.now() - begin).toBeLessThan(2_000);
    expect(types(one.sent)).toEqual(['discover']);
    // A preferred one is no condition.
    expect((await acquire(stage(giving()).talk, { ...wish, isFixed: false })).address).toBe(GIVEN);
  });

  it.each<[string, Parameters<typeof reply>[3], string, RegExp]>([
    ['loopback', {}, '127.0.0.1', /no container can have/],
    ['a group', {}, '239.1.1.1', /no container can have/],
    ['no mask', { [OPTION.subnetMask]: undefined }, GIVEN, /without a subnet mask/],
    ['a mask with a hole', { [OPTION.subnetMask]: ipv4Bytes('255.0.255.0') }, GIVEN, /without a subnet mask/],
    ['the broadcast address', {}, '192.168.22.255', /no host's address/],
    [
      'a router elsewhere',
      { [OPTION.router]: ipv4Bytes('10.0.0.1') },
      GIVEN,
      /router 10\.0\.0\.1 is not in the subnet/,
    ],
    ['no lease time', { [OPTION.leaseTime]: undefined }, GIVEN, /without a lease time/],
  ])('refuses %s', async (_what, options, address, why) => {
    await expect(acquire(stage(giving(options, address)).talk)).rejects.toThrow(why);
  });
});

describe('a lease', () => {
  async function held(): Promise<Awaited<ReturnType<typeof acquire>>> {
    return acquire(stage(giving()).talk);
  }

  it('is renewed by its server alone, from the address that it is for', async () => {
    const { lease } = await held();
    const { talk, sent, now } = stage(giving());
    const renewed = await extend(talk, GIVEN, lease, 'server');
    expect(renewed).toMatchObject({
      address: GIVEN,
      lease: { expiresAtMs: expect.closeTo(now() + 3_600_000, -2) as number },
    });
    expect(sent[0]?.envelope).toEqual({ from: GIVEN, to: SERVER, toMac: SERVER_MAC });
    // RFC 2131, table 5: neither server nor requested address.
    expect(sent[0]?.message).toMatchObject({ type: 'request', clientAddress: GIVEN, broadcast: false });
    expect(sent[0]?.message.options.has(OPTION.server)).toBe(false);
    expect(sent[0]?.message.options.has(OPTION.requestedAddress)).toBe(false);
  });

  it('is renewed by anybody when asked so', async () => {
    const { lease } = await held();
    const { talk, sent } = stage(giving());
    await extend(talk, GIVEN, lease, 'anybody');
    expect(sent[0]?.envelope).toEqual({ from: GIVEN, to: '255.255.255.255', toMac: EVERY_MAC });
  });

  it('may be refused, or nobody answers', async () => {
    const { lease } = await held();
    expect(await extend(stage((sent) => [reply(sent, 'nak', '0.0.0.0')]).talk, GIVEN, lease, 'server')).toBe('refused');
    expect(await extend(stage(() => []).talk, GIVEN, lease, 'server')).toBeUndefined();
  });

  it('is given back to its server, or declined before everybody', async () => {
    const grant = await held();
    const { talk, sent } = stage(() => []);
    release(talk, GIVEN, grant.lease);
    decline(talk, grant);
    expect(sent[0]).toMatchObject({
      message: { type: 'release', clientAddress: GIVEN },
      envelope: { from: GIVEN, to: SERVER, toMac: SERVER_MAC },
    });
    expect(sent[1]).toMatchObject({
      message: { type: 'decline', clientAddress: '0.0.0.0' },
      envelope: { from: '0.0.0.0', toMac: EVERY_MAC },
    });
    for (const { message } of sent) expect(addressesIn(message, OPTION.server)).toEqual([SERVER]);
    expect(addressesIn((sent[1] as Sent).message, OPTION.requestedAddress)).toEqual([GIVEN]);
  });
});
