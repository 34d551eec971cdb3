import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDhcpServer, type DhcpServer } from '../support/dhcp-server.ts';
import { Lab, must, until, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, reaches, type Lan } from '../support/lan.ts';

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

async function addressOf(container: Namespace): Promise<string | undefined> {
  const shown = await container.must('ip', ['-o', '-4', 'address', 'show', 'dev', 'eth0']);
  return /inet (\S+)/.exec(shown)?.[1];
}

describe('a macvlan network with DHCP', () => {
  it('gives what the server gives: address, length, router', async () => {
    const { leases } = await serve();
    await create();
    await host.mustTsnet(['connect', 'lan', box.path]);
    const address = (await addressOf(box)) ?? '';
    expect(address).toMatch(/^192\.168\.22\.[5-9]\d\/24$/);
    expect(await box.must('ip', ['route', 'show', 'default'])).toContain('default via 192.168.22.1 dev eth0');
    expect(await reaches(box, '192.168.22.1')).toBe(true);
    expect(leases()).toHaveLength(1);
    expect(leases()[0]).toContain(address.replace('/24', ''));
    expect(await host.mustTsnet(['diff'])).toBe('');
  });
});
