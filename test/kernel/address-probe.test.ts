import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, must, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, type Lan } from '../support/lan.ts';

let lab: Lab;
let lan: Lan;
let host: Host;
let box: Namespace;

beforeEach(async () => {
  lab = new Lab();
  lan = await makeLan(lab, 1);
  [host] = lan.hosts as [Host];
  box = lab.namespace('box');
});
afterEach(() => {
  lab.close();
});

/** Gives the router further addresses: of devices that tsnet knows nothing of. */
async function occupy(...addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const flags = address.includes(':') ? ['nodad'] : [];
    await must('ip', ['-n', lan.router.name, 'address', 'add', address, 'dev', 'switch', ...flags]);
  }
}

async function routerMac(): Promise<string> {
  return /link\/ether (\S+)/.exec(await lan.router.must('ip', ['link', 'show', 'switch']))?.[1] ?? '?';
}

function create(...options: readonly string[]): Promise<string> {
  const network = ['-d', 'macvlan', '--subnet', '192.168.22.0/24', '-o', 'parent=eth0', ...options, 'lan'];
  return host.mustTsnet(['create', ...network]);
}

async function addresses(): Promise<string> {
  return box.must('ip', ['-o', 'address', 'show', 'dev', 'eth0']);
}

describe('an address that somebody on the LAN has', () => {
  it('is skipped, also by whoever comes next', async () => {
    await occupy('192.168.22.100/24', '192.168.22.101/24');
    await create('--ip-range', '192.168.22.100/30');
    await host.mustTsnet(['connect', 'lan', box.path]);
    expect(await addresses()).toContain('192.168.22.102/24');
    await host.mustTsnet(['connect', 'lan', lab.namespace('next').path]);
    const late = await host.tsnet(['connect', 'lan', lab.namespace('late').path]);
    expect(late.stderr).toMatch(/no free IPv4 address/);
  });

  it('is refused if it was asked for, with the MAC of its holder, and nothing is left', async () => {
    await occupy('192.168.22.200/24');
    await create();
    const { status, stderr } = await host.tsnet(['connect', '--ip', '192.168.22.200', 'lan', box.path]);
    expect(status).not.toBe(0);
    expect(stderr).toContain(`address 192.168.22.200 is in use on the LAN by ${await routerMac()}; choose another`);
    expect(await box.must('ip', ['-o', 'link'])).not.toContain('eth0');
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    await must('ip', ['-n', lan.router.name, 'address', 'del', '192.168.22.200/24', 'dev', 'switch']);
    await host.mustTsnet(['connect', '--ip', '192.168.22.200', 'lan', box.path]);
  });

  it('is skipped, or refused, by a container that is just being born, which leaves nothing', async () => {
    await occupy('192.168.22.100/24');
    await create('--ip-range', '192.168.22.100/30');
    const run = ['run', '--rm', '--name', 'c', '--network', 'lan'];
    expect(await host.mustTsnet([...run, 'ip', 'address'])).toContain('192.168.22.101/24');
    const refused = await host.tsnet([...run, '--ip', '192.168.22.100', 'true']);
    expect(refused.stderr).toMatch(/address 192\.168\.22\.100 is in use on the LAN by/);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    expect(await host.mustTsnet(['gc'])).toBe('');
  });

  it('is found if the host itself has it', async () => {
    await create();
    const { stderr } = await host.tsnet(['connect', '--ip', '192.168.22.11', 'lan', box.path]);
    expect(stderr).toMatch(/in use on the LAN by this host \(eth0, /);
  });

  it('is found in IPv6', async () => {
    await occupy('fd22::200/64');
    await create('--ipv6', '--subnet', 'fd22::/64');
    const { stderr } = await host.tsnet(['connect', '--ip6', 'fd22::200', 'lan', box.path]);
    expect(stderr).toContain(`address fd22::200 is in use on the LAN by ${await routerMac()}`);
    await host.mustTsnet(['connect', '--ip6', 'fd22::201', 'lan', box.path]);
    expect(await addresses()).toContain('fd22::201/64');
  });

  it('is not looked for if the network says so', async () => {
    await occupy('192.168.22.200/24');
    await create('-o', 'address_probe=false');
    await host.mustTsnet(['connect', '--ip', '192.168.22.200', 'lan', box.path]);
    expect(await addresses()).toContain('192.168.22.200/24');
  });

  it('ends in one line where something answers for all', async () => {
    const all = ['route', 'add', 'local', '192.168.22.128/25', 'dev', 'switch'];
    await must('ip', ['-n', lan.router.name, ...all]);
    await create('--ip-range', '192.168.22.128/25');
    const { stderr } = await host.tsnet(['connect', 'lan', box.path]);
    expect(stderr).toContain(`by ${await routerMac()}; give the network a free --ip-range`);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
  });
});
