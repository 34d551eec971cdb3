import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIREWALL_BACKENDS, Lab, until, type FirewallBackend, type Host, type Namespace } from '../support/lab.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');
const UDP_ECHO = path.resolve(import.meta.dirname, '../support/udp-who-asks.js');
const UDP_ASK = path.resolve(import.meta.dirname, '../support/udp-ask.js');

let lab: Lab;
let host: Host;
let client: Namespace;

async function stage(backend: FirewallBackend): Promise<void> {
  lab = new Lab();
  host = lab.host();
  host.useFirewall(backend);
  client = lab.namespace('client');
  await lab.wire(host, 'eth0', ['192.168.50.1/24', 'fd50::1/64'], client, 'eth0', ['192.168.50.9/24', 'fd50::9/64']);
}
afterEach(() => {
  lab.close();
});

/** A container on a network, with an HTTP server that tells clients their address. */
async function server(network: string, ports: readonly string[], listen: readonly number[] = [80]): Promise<Namespace> {
  const container = lab.namespace('c');
  await host.mustTsnet(['connect', ...ports.flatMap((port) => ['-p', port]), network, container.path]);
  for (const port of listen) serve(container, port);
  for (const port of listen) await until(async () => (await ask(container, `http://127.0.0.1:${port}/`)) !== '');
  return container;
}

function serve(container: Namespace, port: number): void {
  container.start(process.execPath, [WHO_ASKS, String(port)]);
}

/** The body, or '' when there is no answer. */
async function ask(from: Namespace, url: string): Promise<string> {
  return (await from.run(process.execPath, [FETCH, url])).stdout.trim();
}

describe.each(FIREWALL_BACKENDS)('with %s, a published port', (backend) => {
  beforeEach(() => stage(backend));

  it('is reached from everywhere it should be, and the client is kept', async () => {
    const web = await server('bridge', ['8080:80']);
    await host.mustTsnet(['create', 'other']);
    const [same, other] = [lab.namespace('same'), lab.namespace('other')];
    await host.mustTsnet(['connect', 'bridge', same.path]);
    await host.mustTsnet(['connect', 'other', other.path]);
    expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
    expect(await ask(host, 'http://192.168.50.1:8080/')).toMatch(/you are/);
    expect(await ask(host, 'http://127.0.0.1:8080/')).toMatch(/you are/);
    expect(await ask(host, 'http://172.17.0.1:8080/')).toMatch(/you are/);
    expect(await ask(same, 'http://192.168.50.1:8080/')).toMatch(/you are/);
    expect(await ask(same, 'http://172.17.0.1:8080/')).toMatch(/you are/);
    expect(await ask(other, 'http://192.168.50.1:8080/')).toMatch(/you are/);
    expect(await ask(web, 'http://192.168.50.1:8080/')).toMatch(/you are/);
  });

  it('is bound to one host address when one is given', async () => {
    await server('bridge', ['127.0.0.1:8080:80', '192.168.50.1:8081:80']);
    expect(await ask(host, 'http://127.0.0.1:8080/')).toMatch(/you are/);
    expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('');
    expect(await ask(client, 'http://192.168.50.1:8081/')).toBe('you are 192.168.50.9');
    expect(await ask(host, 'http://127.0.0.1:8081/')).toBe('');
  });

  it('works for IPv6 too, hairpin included', async () => {
    await host.mustTsnet(['create', '--ipv6', 'six']);
    const web = await server('six', ['8080:80']);
    expect(await host.must('ip', ['-6', 'address', 'show', 'tentative'])).toBe('');
    expect(await ask(client, 'http://[fd50::1]:8080/')).toBe('you are fd50::9');
    expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
    expect(await ask(web, 'http://[fd50::1]:8080/')).toMatch(/you are/);
  });

  it("keeps the client on a container's second network, and replies leave by the network they came in by", async () => {
    await host.mustTsnet(['create', 'second']);
    const web = await server('bridge', []);
    await host.mustTsnet(['connect', '-p', '8080:80', 'second', web.path]);
    expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
  });

  it('maps ranges one to one, shifted or not, as one object', async () => {
    const range = await server('bridge', ['9000-9010:9000-9010', '9100-9110:9000-9010'], [9000, 9007]);
    expect(await ask(client, 'http://192.168.50.1:9007/')).toBe('you are 192.168.50.9');
    expect(await ask(client, 'http://192.168.50.1:9107/')).toBe('you are 192.168.50.9');
    expect(await ask(client, 'http://192.168.50.1:9108/')).toBe('');
    expect(await host.mustTsnet(['port', range.name])).toContain('9000-9010/tcp -> 0.0.0.0:9100-9110');
  });

  it('gets an ephemeral host port when none is given', async () => {
    const web = await server('bridge', ['80']);
    const [, port] = /0\.0\.0\.0:(\d+)/.exec(await host.mustTsnet(['port', web.name])) ?? [];
    expect(Number(port)).toBeGreaterThanOrEqual(32768);
    expect(await ask(client, `http://192.168.50.1:${port ?? ''}/`)).toBe('you are 192.168.50.9');
  });

  it('comes and goes on a running container without a reset of other connections', async () => {
    const web = await server('bridge', ['8080:80']);
    await host.mustTsnet(['publish', 'bridge', web.name, '8081:80']);
    expect(await ask(client, 'http://192.168.50.1:8081/')).toBe('you are 192.168.50.9');
    await host.mustTsnet(['unpublish', 'bridge', web.name, '8081:80']);
    expect(await ask(client, 'http://192.168.50.1:8081/')).toBe('');
    expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('of UDP goes to the new container at once when it moves: conntrack forgets the old one', async () => {
    const [one, two] = [lab.namespace('one'), lab.namespace('two')];
    for (const [container, name] of [
      [one, 'one'],
      [two, 'two'],
    ] as const)
      container.start(process.execPath, [UDP_ECHO, '53', name]);
    await host.mustTsnet(['connect', '-p', '5353:53/udp', 'bridge', one.path]);
    const asker = ['192.168.50.1', '5353', '40000'];
    await until(async () => (await client.run(process.execPath, [UDP_ASK, ...asker])).stdout.trim() === 'one');
    await host.mustTsnet(['disconnect', 'bridge', one.path]);
    await host.mustTsnet(['connect', '-p', '5353:53/udp', 'bridge', two.path]);
    // Same source port: without the purge the kernel would send it to the first container for another 30 seconds.
    expect((await client.run(process.execPath, [UDP_ASK, ...asker])).stdout.trim()).toBe('two');
  });

  it('of a routed network stays open while another host port leads to the same container port', async () => {
    await host.mustTsnet(['create', '--subnet', '172.31.0.0/24', '-o', 'bridge.gateway-mode-ipv4=routed', 'routed']);
    const web = await server('routed', ['8080:80', '8081:80']);
    await client.must('ip', ['route', 'add', '172.31.0.0/24', 'via', '192.168.50.1']);
    expect(await ask(client, 'http://172.31.0.2/')).toBe('you are 192.168.50.9');
    await host.mustTsnet(['unpublish', 'routed', web.path, '8080:80']);
    expect(await ask(client, 'http://172.31.0.2/')).toBe('you are 192.168.50.9');
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['unpublish', 'routed', web.path, '8081:80']);
    expect(await ask(client, 'http://172.31.0.2/')).toBe('');
  });

  it('is refused when another container has it, naming that one', async () => {
    const web = await server('bridge', ['8080:80']);
    const second = lab.namespace('second');
    const { status, stderr } = await host.tsnet(['connect', '-p', '8000-8100:8000-8100', 'bridge', second.path]);
    expect(status).toBe(1);
    expect(stderr).toContain(`published by container ${web.name}`);
    expect(await second.must('ip', ['-o', 'link'])).not.toContain('eth0');
  });

  it('is refused when a program listens on it, naming the program', async () => {
    host.start(process.execPath, [WHO_ASKS, '8080', '0.0.0.0']);
    await until(async () => (await ask(host, 'http://127.0.0.1:8080/')) !== '');
    const second = lab.namespace('second');
    const { status, stderr } = await host.tsnet(['connect', '-p', '8080:80', 'bridge', second.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/8080.*in use by .*node/);
  });
});

describe.each(FIREWALL_BACKENDS)('isolation by %s', (backend) => {
  beforeEach(() => stage(backend));

  it('closes unpublished ports, other networks and container addresses to the outside', async () => {
    await server('bridge', ['8080:80'], [80, 81]);
    await host.mustTsnet(['create', 'other']);
    const other = lab.namespace('other');
    await host.mustTsnet(['connect', 'other', other.path]);
    await client.must('ip', ['route', 'add', '172.17.0.0/16', 'via', '192.168.50.1']);
    expect(await ask(client, 'http://172.17.0.2:80/')).toBe('');
    expect(await ask(client, 'http://172.17.0.2:81/')).toBe('');
    expect(await ask(client, 'http://192.168.50.1:81/')).toBe('');
    expect(await ask(other, 'http://172.17.0.2:81/')).toBe('');
    expect(await ask(host, 'http://172.17.0.2:81/')).toMatch(/you are/);
  });

  it('masquerades what goes out', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'bridge', container.path]);
    client.start(process.execPath, [WHO_ASKS, '7000']);
    await until(async () => (await ask(client, 'http://127.0.0.1:7000/')) !== '');
    expect(await ask(container, 'http://192.168.50.9:7000/')).toBe('you are 192.168.50.1');
  });

  it('gives an internal network no way out and no way in', async () => {
    await host.mustTsnet(['create', '--internal', 'vault']);
    const [a, b] = [await server('vault', []), lab.namespace('b')];
    await host.mustTsnet(['connect', 'vault', b.path]);
    expect(await ask(b, 'http://172.18.0.2/')).toMatch(/you are/);
    expect(await a.must('ip', ['route'])).not.toContain('default');
    await a.must('ip', ['route', 'add', 'default', 'via', '172.18.0.1']);
    expect((await a.run('ping', ['-c', '1', '-W', '1', '192.168.50.9'])).status).not.toBe(0);
  });

  it.each([0, 1])(
    'keeps containers apart with icc=false, their published ports reachable, with bridge-nf-call-iptables %i',
    async (crossing) => {
      for (const family of ['ip', 'ip6'])
        await host.must('sysctl', ['-qw', `net.bridge.bridge-nf-call-${family}tables=${crossing}`]);
      await host.mustTsnet(['create', '-o', 'com.docker.network.bridge.enable_icc=false', 'apart']);
      const [web, b] = [await server('apart', ['8080:80']), lab.namespace('b')];
      await host.mustTsnet(['connect', 'apart', b.path]);
      expect(await ask(b, 'http://172.18.0.2/')).toBe('');
      expect(await ask(b, 'http://192.168.50.1:8080/')).toMatch(/you are/);
      expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
      expect(await ask(web, 'http://192.168.50.1:8080/')).toMatch(/you are/);
    },
  );
});

describe('iptables', () => {
  beforeEach(() => stage('iptables'));

  it('has published ports in the nat table as an administrator of Docker expects', async () => {
    await server('bridge', []);
    await server('bridge', []);
    await server('bridge', ['80:80']);
    const nat = await host.must('iptables', ['-t', 'nat', '-S']);
    expect(nat).toMatch(/-s 172\.17\.0\.0\/16 ! -o tsnet0 -j MASQUERADE/);
    expect(nat).toMatch(/-s 172\.17\.0\.4\/32 -d 172\.17\.0\.4\/32 -p tcp -m tcp --dport 80 -j MASQUERADE/);
    expect(nat).toMatch(/-A TSNET -p tcp -m tcp --dport 80 -j DNAT --to-destination 172\.17\.0\.4:80/);
    expect(nat).toMatch(/-A PREROUTING -m addrtype --dst-type LOCAL -j TSNET/);
    expect(nat).toMatch(/-A OUTPUT -m addrtype --dst-type LOCAL -j TSNET/);
  });

  it("leaves the administrator's chain and everybody else's rules alone", async () => {
    await host.must('iptables', ['-A', 'FORWARD', '-s', '10.66.0.0/16', '-j', 'ACCEPT']);
    await server('bridge', ['8080:80']);
    await host.must('iptables', ['-A', 'TSNET-USER', '-s', '192.168.50.9', '-j', 'DROP']);
    expect(await ask(client, 'http://192.168.50.1:8080/')).toBe('');
    await host.mustTsnet(['repair']);
    await host.mustTsnet(['create', 'more']);
    const filter = await host.must('iptables', ['-S']);
    expect(filter).toContain('-A TSNET-USER -s 192.168.50.9/32 -j DROP');
    expect(filter).toContain('-A FORWARD -s 10.66.0.0/16 -j ACCEPT');
    expect(filter).toContain('-P FORWARD ACCEPT');
  });
});
