import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { FIREWALL_BACKENDS, Lab, type Host, type Namespace } from '../support/lab.ts';
import { startEchoServer, startStream, type Stream } from '../support/streams.ts';

let lab: Lab;
let host: Host;
let server: Namespace;
let other: Namespace;
/** From outside by a published port, and from container to container. */
let streams: Stream[];

async function stage(): Promise<void> {
  const outside = lab.namespace('out');
  await lab.wire(host, 'eth0', ['192.0.2.1/24'], outside, 'eth0', ['192.0.2.2/24']);
  server = lab.namespace('srv');
  other = lab.namespace('oth');
  await host.mustTsnet(['create', '--subnet', '10.9.0.0/24', '--label', 'tier=front', 'web']);
  await host.mustTsnet(['create', '--subnet', '10.10.0.0/24', 'side']);
  await host.mustTsnet(['connect', '-p', '8080:80', 'web', server.path]);
  await host.mustTsnet(['connect', 'web', other.path]);
  await startEchoServer(server, 80);
  streams = [await startStream(outside, '192.0.2.1', 8080), await startStream(other, '10.9.0.2', 80)];
}

async function go(): Promise<void> {
  for (const stream of streams) await stream.goesOn();
}

const mtu = async (where: Namespace): Promise<string | undefined> =>
  / mtu (\d+) /.exec(await where.must('ip', ['-o', 'link', 'show', 'eth0']))?.[1];

describe.each(FIREWALL_BACKENDS)('with %s, connections stay open while', (backend) => {
  beforeEach(async () => {
    lab = new Lab();
    host = lab.host();
    host.useFirewall(backend);
    await stage();
  });
  afterEach(() => {
    lab.close();
  });

  it('other ports are published and withdrawn', async () => {
    await host.mustTsnet(['publish', 'web', server.name, '8081:80', '9000-9009:9000-9009/udp']);
    await go();
    await host.mustTsnet(['unpublish', 'web', server.name, '8081:80', '9000-9009:9000-9009/udp']);
    await go();
    expect(await host.mustTsnet(['port'])).not.toContain('8081');
  });

  it('the containers join and leave another network', async () => {
    for (const { name } of [server, other]) await host.mustTsnet(['connect', '--alias', 'x', 'side', name]);
    await go();
    for (const { name } of [server, other]) await host.mustTsnet(['disconnect', 'side', name]);
    await go();
  });

  it('names and labels change', async () => {
    await host.mustTsnet(['update', '--alias-add', 'db', '--alias-add', 'store', 'web', server.name]);
    await host.mustTsnet(['update', '--alias-rm', 'db', 'web', server.name]);
    expect(await host.tsnet(['update', '--alias-rm', 'db', 'web', server.name])).toMatchObject({
      status: 1,
      stderr: `tsnet: update ${server.name} on web: it has no alias db there\n`,
    });
    await host.mustTsnet(['update', '--label-rm', 'tier', '--label-add', 'owner=ops', 'web']);
    await go();
    expect(await host.mustTsnet(['inspect', '-f', '{{json .Labels}}', 'web'])).toBe('{"owner":"ops"}');
    expect(await host.tsnet(['update', '--label-rm', 'tier', 'web'])).toMatchObject({
      status: 1,
      stderr: 'tsnet: update network web: it has no label tier\n',
    });
  });

  it('the MTU changes, on every link of the network', async () => {
    await host.mustTsnet(['update', '--mtu', '1400', 'web']);
    await go();
    for (const where of [server, other]) expect(await mtu(where)).toBe('1400');
    expect((await host.tsnet(['diff'])).stdout).toBe('');
    expect(await host.mustTsnet(['inspect', '-f', '{{json .Options}}', 'web'])).toBe(
      '{"com.docker.network.driver.mtu":"1400"}',
    );
    const third = lab.namespace('c');
    await host.mustTsnet(['connect', 'web', third.path]);
    expect(await mtu(third)).toBe('1400');
    await host.mustTsnet(['update', '--mtu', '1500', 'web']);
    await go();
    expect(await mtu(third)).toBe('1500');
  });

  it('a daemon does it', async () => {
    await startDaemon(host);
    await host.mustTsnet(['publish', 'web', server.name, '8081:80']);
    await host.mustTsnet(['connect', 'side', server.name]);
    await host.mustTsnet(['update', '--mtu', '1400', 'web']);
    await host.mustTsnet(['update', '--alias-add', 'db', 'web', server.name]);
    await host.mustTsnet(['disconnect', 'side', server.name]);
    await host.mustTsnet(['unpublish', 'web', server.name, '8081:80']);
    await go();
    expect(await mtu(server)).toBe('1400');
  });
});

describe('an update is refused', () => {
  beforeEach(() => {
    lab = new Lab();
    host = lab.host();
  });
  afterEach(() => {
    lab.close();
  });

  it.each([
    [
      ['--mtu', '1400', 'bridge'],
      1,
      /^tsnet: update network bridge: it is predefined, and made of daemon\.json's keys/,
    ],
    [['--mtu', '20', 'web'], 1, /^tsnet: update network web: MTU 20: expected 68 to 65535/],
    [['--mtu', '1400', 'web', 'nobody'], 125, /^tsnet: labels and MTU are the whole network's/],
    [['web'], 125, /^tsnet: nothing to change: give --label-add/],
    [['--alias-add', 'x', 'web'], 125, /^tsnet: --alias-add and --alias-rm are about one container/],
    [['--alias-add', 'x', 'web', 'nobody'], 1, /^tsnet: .*nobody/],
    [['--label-add', 'x=y', 'nope'], 1, /^tsnet: network nope not found/],
  ])('%j', async (args, status, message) => {
    await host.mustTsnet(['create', 'web']);
    const outcome = await host.tsnet(['update', ...args]);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.status).toBe(status);
  });

  it('where the parent of a macvlan network carries less', async () => {
    await host.must('ip', ['link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan1']);
    for (const link of ['lan0', 'lan1']) await host.must('ip', ['link', 'set', link, 'up']);
    await host.mustTsnet(['create', '-d', 'macvlan', '--subnet', '10.8.0.0/24', '-o', 'parent=lan0', 'lan']);
    const outcome = await host.tsnet(['update', '--mtu', '9000', 'lan']);
    expect(outcome.stderr).toBe(
      'tsnet: update network lan: mtu 9000 is more than the 1500 of its parent lan0; raise that first\n',
    );
  });
});
