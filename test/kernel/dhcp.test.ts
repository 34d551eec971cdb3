import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDhcpServer, type DhcpServer } from '../support/dhcp-server.ts';
import { Lab, must, TSNET, until, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, plug, reaches, type Lan } from '../support/lan.ts';

let lab: Lab;
let lan: Lan;
let host: Host;
let box: Namespace;
let server: DhcpServer | undefined;

beforeEach(async () => {
  lab = new Lab();
  lan = await makeLan(lab, 1);
  [host] = lan.hosts as [Host];
  box = lab.namespace('box');
});
afterEach(() => {
  server?.close();
  server = undefined;
  lab.close();
});

const CREATE = ['create', '-d', 'macvlan', '--ipam-driver', 'dhcp', '-o', 'parent=eth0'];

async function serve(...options: readonly string[]): Promise<DhcpServer> {
  server?.close();
  return (server = await startDhcpServer(lan.router, ...options));
}

function create(...options: readonly string[]): Promise<string> {
  return host.mustTsnet([...CREATE, ...options, 'lan']);
}

function connect(container: Namespace, ...options: readonly string[]): Promise<string> {
  return host.mustTsnet(['connect', ...options, 'lan', container.path]);
}

/** "192.168.22.50/24" */
async function addressOf(container: Namespace): Promise<string | undefined> {
  const shown = await container.must('ip', ['-o', '-4', 'address', 'show', 'dev', 'eth0']);
  return /inet (\S+)/.exec(shown)?.[1];
}

async function hasNothing(container: Namespace): Promise<boolean> {
  const links = await container.must('ip', ['-o', 'link']);
  return !links.includes('eth0') && (await host.mustTsnet(['ps', '-q'])) === '';
}

/** Options for a tsnet to which it is later. */
function later(seconds: number): { readonly env: Record<string, string> } {
  const clock = path.resolve(import.meta.dirname, '../support/shifted-clock.js');
  return { env: { NODE_OPTIONS: `--import ${clock}`, TEST_LATER_MS: String(seconds * 1000) } };
}

const LEASE_S = 120;

describe('a macvlan network with DHCP', () => {
  it('gives what the server gives: address, length, router', async () => {
    const { leases } = await serve();
    await create();
    await connect(box);
    const address = (await addressOf(box)) ?? '';
    expect(address).toMatch(/^192\.168\.22\.[5-9]\d\/24$/);
    expect(await box.must('ip', ['route', 'show', 'default'])).toContain('default via 192.168.22.1 dev eth0');
    expect(await reaches(box, '192.168.22.1')).toBe(true);
    expect(leases()).toHaveLength(1);
    expect(leases()[0]).toContain(`${address.replace('/24', '')} ${box.name}`);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(JSON.parse(await host.mustTsnet(['inspect', 'lan']))).toMatchObject([
      { IPAM: { Driver: 'dhcp', Config: [{ Subnet: '192.168.22.0/24', Gateway: '192.168.22.1' }] } },
    ]);
  });

  it('gives a container the same address again, and others others; a lease goes back with its endpoint', async () => {
    const { leases } = await serve();
    await create();
    const other = lab.namespace('other');
    await connect(box);
    await connect(other);
    const [own, others] = [await addressOf(box), await addressOf(other)];
    expect(own).not.toBe(others);
    await host.mustTsnet(['disconnect', 'lan', box.path]);
    await until(() => leases().length === 1);
    await host.mustTsnet(['disconnect', 'lan', other.path]);
    await until(() => leases().length === 0);
    await host.mustTsnet(['rm', 'lan']);
    await create();
    await connect(other);
    await connect(box);
    expect([await addressOf(box), await addressOf(other)]).toEqual([own, others]);
  });

  it('gives what is reserved for a name, a MAC or a client identifier', async () => {
    const byMac = lab.namespace('mac');
    const first = await serve(`--dhcp-host=${box.name},192.168.22.170`, '--dhcp-host=02:00:00:00:00:71,192.168.22.171');
    await create();
    await connect(box);
    await connect(byMac, '--mac-address', '02:00:00:00:00:71');
    expect(await addressOf(box)).toBe('192.168.22.170/24');
    expect(await addressOf(byMac)).toBe('192.168.22.171/24');
    const clientId =
      first
        .leases()
        .find((line) => line.includes(box.name))
        ?.split(' ')[4] ?? '?';
    expect(clientId).toMatch(/^ff(:[0-9a-f]{2}){22}$/);
    await host.mustTsnet(['disconnect', 'lan', box.path]);
    await serve(`--dhcp-host=id:${clientId},192.168.22.172`);
    await connect(box);
    expect(await addressOf(box)).toBe('192.168.22.172/24');
  });

  it('asks for the address that --ip names, and refuses another', async () => {
    const { leases } = await serve();
    await create();
    await connect(box, '--ip', '192.168.22.77');
    expect(await addressOf(box)).toBe('192.168.22.77/24');
    const other = lab.namespace('other');
    const { status, stderr } = await host.tsnet(['connect', '--ip', '192.168.22.200', 'lan', other.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/DHCP server 192\.168\.22\.1 gives \S+ instead of 192\.168\.22\.200; reserve that there/);
    expect(await other.must('ip', ['-o', 'link'])).not.toContain('eth0');
    expect(leases()).toHaveLength(1);
  });

  it('fails in bounded time and makes nothing where no server answers', async () => {
    await create('--ipam-opt', 'timeout=2');
    const begin = performance.now();
    const { status, stderr } = await host.tsnet(['connect', 'lan', box.path]);
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(status).toBe(1);
    expect(stderr).toContain(`connect ${box.name} to lan: no DHCP server answered within 2 s`);
    expect(await hasNothing(box)).toBe(true);
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('declines an address that somebody has, and takes another', async () => {
    const device = lab.namespace('device');
    await plug(lab, device, lan.router, 5);
    const { log } = await serve('--dhcp-range=192.168.22.16,192.168.22.17,2m', '--dhcp-sequential-ip');
    await create();
    await connect(box);
    expect(await addressOf(box)).toBe('192.168.22.17/24');
    expect(log()).toMatch(/DHCPDECLINE\(switch\) 192\.168\.22\.16 /);
    const late = await host.tsnet(['connect', '--ip', '192.168.22.16', 'lan', lab.namespace('late').path]);
    expect(late.status).toBe(1);
  });

  it('shows with --dry-run what the server offers, and takes nothing', async () => {
    const { leases } = await serve();
    await create();
    const plan = await host.mustTsnet(['connect', '--dry-run', 'lan', box.path]);
    expect(plan).toMatch(/address 192\.168\.22\.[5-9]\d\/24/);
    expect(leases()).toHaveLength(0);
    expect(await hasNothing(box)).toBe(true);
  });

  it('refuses an address outside the --subnet that was expected, and gives it back', async () => {
    const { leases } = await serve();
    await create('--subnet', '192.168.0.0/16');
    const { stderr } = await host.tsnet(['connect', 'lan', box.path]);
    expect(stderr).toMatch(
      /gives 192\.168\.22\.\d+ in 192\.168\.22\.0\/24, and the network's --subnet is 192\.168\.0\.0\/16/,
    );
    await until(() => leases().length === 0);
    expect(await hasNothing(box)).toBe(true);
  });

  it('gives an address back when what comes after it fails', async () => {
    const { leases, log } = await serve();
    await create();
    const { status, stderr } = await host.tsnet(['connect', '-p', '80', 'lan', box.path]);
    expect(status).toBe(1);
    expect(stderr).toContain('the container has an address of its own on the LAN');
    expect(log()).toContain('DHCPACK');
    await until(() => leases().length === 0);
    expect(await hasNothing(box)).toBe(true);
  });

  it('lets the host and its containers reach each other with host_access', async () => {
    await serve();
    await create('-o', 'host_access=true');
    await connect(box);
    expect(await reaches(host, (await addressOf(box))?.replace('/24', '') ?? '?')).toBe(true);
    expect(await reaches(box, '192.168.22.11')).toBe(true);
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('has the same container ask again after a kill between the lease and the record', async () => {
    const { leases } = await serve();
    await create();
    const child = host.start(process.execPath, [TSNET, 'connect', 'lan', box.path], { env: host.env });
    // The probe, some 300 ms, comes next.
    const taken = await until(() => leases()[0]);
    child.kill('SIGKILL');
    await until(() => child.signalCode !== null);
    expect(await hasNothing(box)).toBe(true);
    await connect(box);
    expect(taken).toContain((await addressOf(box))?.replace('/24', ''));
    expect(leases()).toHaveLength(1);
  });

  it('gives back the lease of a container that ended or died', async () => {
    const { leases } = await serve();
    await create();
    const other = lab.namespace('other');
    await connect(other);
    const end = path.join(host.dir, 'end');
    // It ends with the test in any case.
    const script = `while [ -d ${host.dir} ] && [ ! -e ${end} ]; do sleep 0.02; done`;
    await host.mustTsnet(['run', '-d', '--name', 'tv', '--network', 'lan', '--', 'sh', '-c', script]);
    expect(leases().map((line) => line.split(' ')[3])).toEqual(expect.arrayContaining(['tv', other.name]));
    other.close();
    expect(await host.mustTsnet(['gc'])).toContain(other.name);
    await until(() => leases().length === 1);
    writeFileSync(end, '');
    await until(() => leases().length === 0);
  });

  it('lets a container go where nobody can be told, and says so in one line', async () => {
    await serve();
    await create();
    await connect(box);
    await must('ip', ['-n', host.name, 'link', 'set', 'eth0', 'down']);
    const { status, stderr } = await host.tsnet(['disconnect', 'lan', box.path]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/not given back to DHCP server 192\.168\.22\.1 .*its lease ends at/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(await hasNothing(box)).toBe(true);
  });

  it.each([
    [['-d', 'bridge'], /a bridge network has no LAN/],
    [
      ['-d', 'ipvlan', '-o', 'parent=eth0'],
      /a server tells clients apart by their MAC|this kernel has no ipvlan links/,
    ],
    [
      ['-d', 'macvlan', '-o', 'parent=eth0', '-o', 'macvlan_mode=passthru'],
      /has the MAC of eth0; use -d macvlan in another/,
    ],
    [['-d', 'macvlan'], /without a parent there is no LAN/],
    [['-d', 'macvlan', '-o', 'parent=eth0', '--ipv6'], /IPv4 addresses only/],
    [['-d', 'macvlan', '-o', 'parent=eth0', '--ipam-opt', 'timeout=never'], /expected 1 to 300 seconds/],
    [['-d', 'macvlan', '-o', 'parent=eth0', '--subnet', '10.0.0.0/8', '--gateway', '10.0.0.1'], /leave --gateway out/],
  ])('refuses at create what a server cannot do: %j', async (options, why) => {
    const { status, stderr } = await host.tsnet(['create', '--ipam-driver', 'dhcp', ...options, 'lan']);
    expect(status).toBe(1);
    expect(stderr).toMatch(why);
  });
});

describe('the lease of a container', () => {
  function expiry({ leases }: DhcpServer): number {
    return Number(leases()[0]?.split(' ')[0]);
  }

  it('is renewed by repair once it is due, and not before', async () => {
    const running = await serve();
    await create();
    await connect(box);
    const [address, before] = [await addressOf(box), expiry(running)];
    expect(await host.mustTsnet(['repair'])).toBe('');
    expect(running.log().match(/DHCPREQUEST/g)).toHaveLength(1);
    // The server counts seconds.
    await until(() => Date.now() / 1000 > before - LEASE_S + 1);
    expect(await host.mustTsnet(['diff'], later(LEASE_S / 2 + 5))).toBe('');
    expect(await host.mustTsnet(['repair'], later(LEASE_S / 2 + 5))).toBe('');
    await until(() => expiry(running) > before);
    expect(running.log().match(/DHCPREQUEST/g)).toHaveLength(2);
    expect(await addressOf(box)).toBe(address);
    expect(await host.mustTsnet(['diff'], later(LEASE_S + 30))).toBe('');
  });

  it('is renewed by any server that hears it, where its own is not reached any more', async () => {
    const running = await serve();
    await create('--ipam-opt', 'timeout=2');
    await connect(box);
    const before = expiry(running);
    const toItAlone = ['-d', '192.168.22.1', '-p', 'udp', '--dport', '67', '-j', 'DROP'];
    await lan.router.must('iptables', ['-A', 'INPUT', ...toItAlone]);
    await host.mustTsnet(['repair'], later(LEASE_S / 2 + 5));
    expect(running.log().match(/DHCPREQUEST/g)).toHaveLength(1);
    await until(() => Date.now() / 1000 > before - LEASE_S + 1);
    await host.mustTsnet(['repair'], later(LEASE_S - 5));
    await until(() => expiry(running) > before);
    expect(running.log().match(/DHCPREQUEST/g)).toHaveLength(2);
  });

  it('is shown by diff when it has expired, and taken anew by repair', async () => {
    await serve();
    await create();
    await connect(box);
    const address = await addressOf(box);
    const { status, stdout } = await host.tsnet(['diff'], later(LEASE_S + 5));
    expect(status).toBe(2);
    expect(stdout).toMatch(/wrong.*DHCP lease of 192\.168\.22\.\d+.*ended at .*server 192\.168\.22\.1/);
    expect(await host.mustTsnet(['repair'], later(LEASE_S + 5))).toContain('DHCP lease');
    expect(await addressOf(box)).toBe(address);
    expect(await host.mustTsnet(['diff'], later(LEASE_S + 5))).toBe('');
  });

  it('stays with the container while no server is there', async () => {
    await create('--ipam-opt', 'timeout=1');
    const { close } = await serve();
    await connect(box);
    const address = await addressOf(box);
    close();
    expect((await host.tsnet(['repair'], later(LEASE_S / 2 + 10))).status).toBe(0);
    const { status, stderr, stdout } = await host.tsnet(['repair'], later(LEASE_S + 5));
    expect(status).not.toBe(0);
    expect(stdout + stderr).toMatch(/DHCP lease of .*no DHCP server answered within 1 s/);
    expect(await addressOf(box)).toBe(address);
  });

  it('moves the container where the server gives another address, unless that was asked for by name', async () => {
    const fixed = lab.namespace('fixed');
    await serve();
    await create('--ipam-opt', 'timeout=4');
    // First: the server gives the others what their client id comes to, and that may be any address.
    await connect(fixed, '--ip', '192.168.22.77');
    await connect(box);
    await serve('--dhcp-range=192.168.22.140,192.168.22.149,2m');
    const { stdout, stderr } = await host.tsnet(['repair'], later(LEASE_S + 5));
    expect(stdout + stderr).toMatch(/192\.168\.22\.77.*instead of 192\.168\.22\.77/);
    expect(await addressOf(fixed)).toBe('192.168.22.77/24');
    expect(await addressOf(box)).toMatch(/^192\.168\.22\.14\d\/24$/);
    expect(await box.must('ip', ['route', 'show', 'default'])).toContain('default via 192.168.22.1 dev eth0');
    expect(await reaches(box, '192.168.22.1')).toBe(true);
    expect(await host.mustTsnet(['diff'])).toBe('');
    // The former address is free for others.
    expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({ endpoints: 2, leases: 2 });
  });

  it('is given up at once where the server refuses to renew it', async () => {
    await serve();
    await create();
    await connect(box);
    await serve('--dhcp-range=192.168.22.140,192.168.22.149,2m');
    await host.mustTsnet(['repair'], later(LEASE_S / 2 + 10));
    expect(server?.log()).toContain('DHCPNAK');
    expect(await addressOf(box)).toMatch(/^192\.168\.22\.14\d\/24$/);
  });
});
