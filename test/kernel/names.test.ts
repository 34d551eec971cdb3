/** Names of containers, asked for inside containers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nameSocketKernel } from '../../src/kernel/name-sockets.ts';
import { redirectByIptables } from '../../src/kernel/name-redirect.ts';
import { must, until } from '../support/lab.ts';
import { dig, NameStage } from '../support/name-stage.ts';
import { knows, startNameserver } from '../support/nameserver.ts';

let stage: NameStage;
const closers: (() => Promise<void>)[] = [];

beforeEach(() => {
  stage = new NameStage();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await stage.close();
});

/** A container with aliases, on one network. */
async function aliased(role: string, network: string, ...aliases: readonly string[]) {
  const container = await stage.container(role);
  await stage.engine.connect({ network, container: container.path, aliases });
  await stage.names.sync();
  return container;
}

async function addressOf(container: string, network: string, family: 4 | 6 = 4): Promise<string> {
  const { endpoints } = await stage.engine.inspectSandbox(container);
  const all = endpoints.filter(({ networkName }) => networkName === network).flatMap(({ addresses }) => addresses);
  const found = all.find(({ address }) => address.includes(':') === (family === 6));
  return found?.address.replace(/\/.*/, '') ?? 'none';
}

describe('a container on a network', () => {
  it('finds the others by name, alias, short id and name.network, in both families, over UDP and TCP', async () => {
    await stage.engine.createNetwork({ name: 'Web', enableIPv6: true });
    const asker = await stage.container('asker', 'Web');
    const { shown } = await aliased('db', 'Web', 'store', 'www.shop.test');
    const { sandbox } = await stage.engine.inspectSandbox(shown);
    const [v4, v6] = [await addressOf(shown, 'Web'), await addressOf(shown, 'Web', 6)];

    for (const name of [
      shown,
      shown.toUpperCase(),
      'store',
      sandbox.id.slice(0, 12),
      `${shown}.web`,
      'Store.WEB.',
      'www.shop.test',
    ]) {
      for (const how of ['+notcp', '+tcp']) {
        expect({ name, how, found: (await dig(asker, name, 'A', how)).answers }).toEqual({ name, how, found: [v4] });
        expect({ name, how, found: (await dig(asker, name, 'AAAA', how)).answers }).toEqual({ name, how, found: [v6] });
      }
    }
    expect((await dig(asker, asker.shown)).answers).toEqual([await addressOf(asker.shown, 'Web')]);
    expect(stage.complaints).toEqual([]);
  });

  it('finds the name of an address, and no name for one that nobody has', async () => {
    await stage.engine.createNetwork({ name: 'web', enableIPv6: true });
    const asker = await stage.container('asker', 'web');
    const { shown } = await aliased('db', 'web', 'store');
    for (const family of [4, 6] as const) {
      const address = await addressOf(shown, 'web', family);
      const { stdout } = await asker.run('dig', ['@127.0.0.11', '+short', '-x', address]);
      expect(stdout.trim()).toBe(`${shown}.web.`);
    }
    const free = (await addressOf(shown, 'web')).replace(/\d+$/, '77');
    expect((await asker.run('dig', ['@127.0.0.11', '-x', free])).stdout).toContain('NXDOMAIN');
  });

  it('is told "no such record", not "no such name", of a family or a type that a name lacks', async () => {
    await stage.engine.createNetwork({ name: 'six', enableIPv4: false, enableIPv6: true });
    await stage.engine.createNetwork({ name: 'four' });
    const asker = await stage.container('asker', 'six', 'four');
    const six = await stage.container('only-six', 'six');
    const four = await stage.container('only-four', 'four');
    for (const [name, type] of [
      [six.shown, 'A'],
      [four.shown, 'AAAA'],
      [four.shown, 'MX'],
      [four.shown, 'TYPE65'],
    ] as const) {
      const { status, answers } = await dig(asker, name, type);
      expect({ name, type, status, answers }).toEqual({ name, type, status: 'NOERROR', answers: [] });
    }
    expect((await dig(asker, six.shown, 'AAAA')).answers).toHaveLength(1);
  });

  it('meets each holder of a shared alias in turn', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const asker = await stage.container('asker', 'web');
    for (let count = 0; count < 3; count += 1) await aliased('replica', 'web', 'app');
    const firsts: string[] = [];
    for (let count = 0; count < 6; count += 1) {
      const { answers } = await dig(asker, 'app');
      // As getaddrinfo asks.
      await dig(asker, 'app', 'AAAA');
      expect(new Set(answers).size).toBe(3);
      firsts.push(answers[0] ?? '');
    }
    expect(new Set(firsts.slice(0, 3)).size).toBe(3);
    expect(firsts.slice(3)).toEqual(firsts.slice(0, 3));
  });

  it('finds wildcard aliases: an exact name first, then the longest', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const asker = await stage.container('asker', 'web');
    const wide = await aliased('wide', 'web', '*.app.test');
    const narrow = await aliased('narrow', 'web', '*.eu.app.test');
    const exact = await aliased('exact', 'web', 'one.eu.app.test');
    for (const [name, holder] of [
      ['x.app.test', wide],
      ['a.b.app.test', wide],
      ['x.eu.app.test', narrow],
      ['ONE.eu.app.test', exact],
      ['x.app.test.web', wide],
    ] as const) {
      expect({ name, found: (await dig(asker, name)).answers }).toEqual({
        name,
        found: [await addressOf(holder.shown, 'web')],
      });
    }
    expect((await dig(asker, 'app.test')).answers).toEqual([]);
  });

  it('gets what fits of a large answer, and all of it by EDNS or TCP', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const asker = await stage.container('asker', 'web');
    for (let count = 0; count < 40; count += 1) {
      await stage.engine.connect({ network: 'web', container: stage.lab.namespace('many').path, aliases: ['crowd'] });
    }
    const cut = await dig(asker, 'crowd', 'A', '+ignore');
    expect(cut.flags).toContain('tc');
    expect(cut.answers.length).toBeGreaterThan(10);
    expect(cut.answers.length).toBeLessThan(40);
    expect((await dig(asker, 'crowd', 'A', '+ignore', '+bufsize=4096')).answers).toHaveLength(40);
    // dig asks again over TCP by itself.
    const whole = await dig(asker, 'crowd');
    expect([whole.answers.length, whole.text.includes('(TCP)')]).toEqual([40, true]);
  });

  it('answers within what connect returns, and no more after disconnect', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const asker = await stage.container('asker', 'web');
    const other = stage.lab.namespace('other');
    const { sandbox } = await stage.engine.connect({ network: 'web', container: other.path });
    expect((await dig(asker, sandbox.name)).answers).toHaveLength(1);
    await stage.engine.disconnect({ network: 'web', container: sandbox.name });
    expect((await dig(asker, sandbox.name)).answers).toEqual([]);
  });
});

describe('networks', () => {
  it('keep their names to themselves; a container on two of them sees both', async () => {
    const upstream = await startNameserver({ address: '127.0.0.2' }, () => ({ rcode: 5 }));
    closers.push(() => upstream.close());
    stage.nameservers('127.0.0.2');
    await stage.engine.createNetwork({ name: 'red' });
    await stage.engine.createNetwork({ name: 'blue' });
    const red = await stage.container('red', 'red');
    const blue = await stage.container('blue', 'blue');
    const both = await stage.container('both', 'red', 'blue');
    await aliased('shop', 'blue', 'till', 'www.till.test');

    const { sandbox } = await stage.engine.inspectSandbox(blue.shown);
    for (const name of [
      blue.shown,
      `${blue.shown}.blue`,
      `${blue.shown}.red`,
      'till',
      'till.blue',
      sandbox.id.slice(0, 12),
    ]) {
      expect({ name, status: (await dig(red, name)).status }).toEqual({ name, status: 'NXDOMAIN' });
    }
    const { stdout } = await red.run('dig', ['@127.0.0.11', '-x', await addressOf(blue.shown, 'blue')]);
    expect(stdout).toContain('NXDOMAIN');
    expect(upstream.asked).toEqual([]);
    // A name of the public tree that somebody elsewhere has taken is asked for outside as ever.
    await dig(red, 'www.till.test');
    expect(upstream.asked).toContain('A www.till.test');

    for (const name of [red.shown, `${red.shown}.red`, blue.shown, 'till', 'www.till.test']) {
      expect({ name, count: (await dig(both, name)).answers.length }).toEqual({ name, count: 1 });
    }
    // The one of the network that is asked.
    expect((await dig(red, both.shown)).answers).toEqual([await addressOf(both.shown, 'red')]);
    expect((await dig(blue, both.shown)).answers).toEqual([await addressOf(both.shown, 'blue')]);
    expect((await dig(blue, `${both.shown}.red`)).answers).toEqual([]);
  });

  it('serve names whatever they are: the default bridge, internal ones, macvlan', async () => {
    const lan = stage.lab.namespace('lan');
    await must('ip', ['link', 'add', 'inner-up', 'type', 'veth', 'peer', 'name', 'far', 'netns', lan.name]);
    await must('ip', ['link', 'set', 'inner-up', 'up']);
    await lan.must('ip', ['link', 'set', 'far', 'up']);
    await stage.engine.createNetwork({ name: 'inner', internal: true });
    await stage.engine.createNetwork({
      name: 'lan',
      driver: 'macvlan',
      options: { parent: 'inner-up' },
      ipam: [{ subnet: '192.168.77.0/24' }],
    });
    for (const network of ['bridge', 'inner', 'lan']) {
      const [one, two] = [await stage.container('one', network), await stage.container('two', network)];
      const { answers } = await dig(one, two.shown);
      expect({ network, answers }).toEqual({ network, answers: [await addressOf(two.shown, network)] });
    }
    expect(stage.complaints).toEqual([]);
  });
});

describe.each(['nftables', 'iptables'] as const)('port 53, with the redirect by %s', (backend) => {
  it('is nobody’s: neither the host’s nor the container’s, whose own server may have it', async () => {
    await stage.close();
    stage = new NameStage(backend === 'iptables' ? nameSocketKernel(redirectByIptables) : undefined);
    await stage.engine.createNetwork({ name: 'web' });
    const asker = await stage.container('asker', 'web');
    const other = await stage.container('other', 'web');
    const own = await startNameserver({ address: '0.0.0.0', netns: asker.path }, ({ name }) => ({
      answers: [{ type: 'A', name, ttl: 1, data: '203.0.113.53' }],
    }));
    closers.push(() => own.close());

    for (const how of ['+notcp', '+tcp']) {
      expect((await dig(asker, other.shown, 'A', how)).answers).toEqual([await addressOf(other.shown, 'web')]);
      const { stdout } = await asker.run('dig', ['@127.0.0.1', '+short', how, 'anything.test']);
      expect(stdout.trim()).toBe('203.0.113.53');
      const far = await other.run('dig', [`@${await addressOf(asker.shown, 'web')}`, '+short', how, 'x.test']);
      expect(far.stdout.trim()).toBe('203.0.113.53');
    }
    expect(own.asked).toHaveLength(4);
    expect(await must('ss', ['-Hlnut', 'sport = :53'])).toBe('');

    // Rules of the container's own stay, and a second service finds its redirect.
    await asker.must('iptables', ['-t', 'nat', '-A', 'OUTPUT', '-d', '198.51.100.1', '-j', 'ACCEPT']);
    const rules = async (): Promise<string> =>
      backend === 'iptables' ? asker.must('iptables-save', ['-t', 'nat']) : asker.must('nft', ['list', 'ruleset']);
    const before = (await rules()).replace(/^#.*$|\[\d+:\d+\]/gm, '');
    await stage.names.close();
    stage.names = stage.openNames();
    await stage.names.sync();
    expect((await rules()).replace(/^#.*$|\[\d+:\d+\]/gm, '')).toBe(before);
    expect(before).toContain('198.51.100.1');
    expect((await dig(asker, other.shown)).answers).toHaveLength(1);
  });
});

describe('the sockets in a container', () => {
  it('are given up when its namespace is gone from everywhere else, so that its interfaces go', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const container = await stage.container('short', 'web');
    const { endpoints } = await stage.engine.inspectSandbox(container.shown);
    const link = endpoints[0]?.hostLink ?? '';
    expect(await must('ip', ['-o', 'link', 'show', link])).toContain(link);
    expect(stage.names.serving()).toBe(1);
    container.close();
    await stage.names.sync();
    expect(stage.names.serving()).toBe(0);
    await until(async () => !(await must('ip', ['-o', 'link'])).includes(link));
    expect(await stage.engine.gc()).toMatchObject([{ kind: 'sandbox', name: container.shown }]);
  });

  it('leave 127.0.0.11 to Docker where it serves a network of its own', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const container = stage.lab.namespace('dockers');
    const dockers = await startNameserver({ address: '127.0.0.11', netns: container.path }, knows('203.0.113.11'));
    closers.push(() => dockers.close());
    await stage.engine.connect({ network: 'web', container: container.path });
    await stage.names.sync();
    await stage.names.sync();
    expect([stage.names.serving(), stage.complaints.length]).toEqual([0, 1]);
    expect((await dig(container, 'docker.test')).answers).toEqual(['203.0.113.11']);
  });

  it('come with the first network and go with the last', async () => {
    await stage.engine.createNetwork({ name: 'web' });
    const container = await stage.container('late', 'web');
    const { sandbox } = await stage.engine.inspectSandbox(container.shown);
    await stage.engine.disconnect({ network: 'web', container: container.shown });
    await stage.names.sync(new Set([sandbox.id]));
    expect(stage.names.serving()).toBe(0);
    expect(await container.must('ss', ['-Hlnu'])).toBe('');
    const again = await stage.engine.connect({ network: 'web', container: container.path });
    await stage.names.sync(new Set([again.sandbox.id]));
    expect((await dig(container, container.shown)).answers).toHaveLength(1);
  });
});
