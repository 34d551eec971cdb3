/** dist/netavark as a program: what it answers, and what it leaves, whatever happens. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDhcpServer } from '../support/dhcp-server.ts';
import { Lab, must, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, reaches } from '../support/lan.ts';
import {
  containerRequest,
  NETAVARK,
  netavark,
  networkInfo,
  setUp,
  type NetworkChoice,
} from '../support/netavark-call.ts';

let lab: Lab;
let host: Host;
let box: Namespace;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
  box = lab.namespace('box');
});
afterEach(() => {
  lab.close();
});

const WEB: NetworkChoice = { name: 'web', subnets: ['10.90.0.0/24 10.90.0.1', 'fd00:90::/64 fd00:90::1'] };
const DB: NetworkChoice = { name: 'db', subnets: ['10.91.0.0/24 10.91.0.1'] };

async function leftovers(): Promise<string> {
  const [networks, sandboxes, links, drift] = await Promise.all([
    host.mustTsnet(['ls', '--filter', 'type=custom', '--format', '{{.Name}}']),
    host.mustTsnet(['ps', '--format', '{{.Name}}']),
    host.must('sh', ['-c', 'ip -o link | grep -E "br-|veth" || true']),
    host.tsnet(['diff']),
  ]);
  return [networks, sandboxes, links, drift.stdout].join('');
}

function hasLink(kind: string): Promise<boolean> {
  return must('ip', ['link', 'add', 'probe', 'type', kind]).then(
    async () => (await must('ip', ['link', 'delete', 'probe']), true),
    (error: unknown) => !String(error).includes('Unknown device type'),
  );
}
const kernelHasMacvlan = await hasLink('macvlan');

describe('setup', () => {
  it('answers what podman reads, of every network', async () => {
    const request = containerRequest('c1', [
      { network: WEB, ips: ['10.90.0.9', 'fd00:90::9'] },
      { network: DB, ips: ['10.91.0.9'] },
    ]);
    expect(await setUp(host, box, request)).toEqual({
      web: {
        dns_search_domains: [],
        dns_server_ips: [],
        interfaces: {
          eth0: {
            mac_address: '02:42:0a:5a:00:09',
            subnets: [
              { gateway: '10.90.0.1', ipnet: '10.90.0.9/24' },
              { gateway: 'fd00:90::1', ipnet: 'fd00:90::9/64' },
            ],
          },
        },
      },
      db: {
        dns_search_domains: [],
        dns_server_ips: [],
        interfaces: {
          eth1: { mac_address: '02:42:0a:5b:00:09', subnets: [{ gateway: '10.91.0.1', ipnet: '10.91.0.9/24' }] },
        },
      },
    });
    expect(await box.must('ip', ['-o', 'link', 'show', 'lo'])).toContain('UP');
  });

  it('touches nothing when one of several networks cannot be', async () => {
    const other = { name: 'other', driver: 'vxlan', subnets: ['10.92.0.0/24 10.92.0.1'] };
    const request = containerRequest('c1', [
      { network: WEB, ips: ['10.90.0.9'] },
      { network: other, ips: ['10.92.0.9'] },
    ]);
    expect(await netavark(host, ['setup', box.path], request)).toMatchObject({
      status: 1,
      stdout: '{"error":"unknown network driver vxlan"}\n',
    });
    expect(await leftovers()).toBe('');
  });

  it('takes back the first network when the second fails', async () => {
    await setUp(host, lab.namespace('holder'), containerRequest('c0', [{ network: DB, ips: ['10.91.0.9'] }]));
    const request = containerRequest('c1', [
      { network: WEB, ips: ['10.90.0.9'] },
      { network: DB, ips: ['10.91.0.9'] },
    ]);
    const { status, stdout } = await netavark(host, ['setup', box.path], request);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ error: expect.stringContaining('address 10.91.0.9 is held by') as string });
    expect(await host.mustTsnet(['ls', '--filter', 'type=custom', '--format', '{{.Name}}'])).toBe('podman-db');
    expect(await box.must('ip', ['-o', 'link'])).not.toContain('eth0');
  });

  it('names what is wrong as netavark does', async () => {
    const request = containerRequest('c1', [{ network: WEB, ips: ['10.90.0.9'] }]);
    const noSuchFile = 'IO error: No such file or directory (os error 2)';
    const errors: readonly (readonly [readonly string[], string, string])[] = [
      [['setup', '/run/netns/nobody'], request, `invalid namespace path: ${noSuchFile}`],
      [['-f', '/nonexistent', 'setup', box.path], '', `failed to load network options: ${noSuchFile}`],
      [
        ['setup', box.path],
        '{}',
        'failed to load network options: JSON Decoding error: container_id: expected a string',
      ],
    ];
    for (const [args, input, error] of errors) {
      expect(await netavark(host, args, input)).toMatchObject({ status: 1, stdout: `${JSON.stringify({ error })}\n` });
    }
    expect(await netavark(host, ['setup'])).toMatchObject({ status: 2, stdout: '' });
  });

  it('reads the request from a file', async () => {
    const file = path.join(host.dir, 'request.json');
    writeFileSync(file, containerRequest('c1', [{ network: DB, ips: ['10.91.0.9'] }]));
    expect((await netavark(host, ['-f', file, 'setup', box.path])).status).toBe(0);
    expect(await reaches(host, '10.91.0.9')).toBe(true);
  });
});

describe('teardown', () => {
  it('leaves nothing, with the namespace gone and any number of times', async () => {
    const request = containerRequest(
      'c1',
      [
        { network: WEB, ips: ['10.90.0.9'] },
        { network: DB, ips: ['10.91.0.9'] },
      ],
      [{ host_port: 8080, container_port: 80, protocol: 'tcp,udp,sctp' }],
    );
    await setUp(host, box, request);
    expect((await host.mustTsnet(['port', '--format', '{{.Port}}'])).split('\n')).toHaveLength(3);
    await must('ip', ['netns', 'delete', box.name]);
    for (let time = 0; time < 3; time += 1) {
      expect(await netavark(host, ['teardown', box.path], request)).toMatchObject({ status: 0, stdout: '' });
    }
    expect(await leftovers()).toBe('');
    expect(await host.must('iptables-save')).not.toContain('8080');
    await must('ip', ['netns', 'add', box.name]);
  });
});

describe('networks of podman', () => {
  it('are kept apart, unless isolate=false lets others in', async () => {
    const open: NetworkChoice = { ...DB, options: { isolate: 'false' } };
    const there = lab.namespace('there');
    await setUp(host, box, containerRequest('c1', [{ network: WEB, ips: ['10.90.0.9'] }]));
    await setUp(host, there, containerRequest('c2', [{ network: open, ips: ['10.91.0.9'] }]));
    expect(await reaches(box, '10.91.0.9')).toBe(true);
    expect(await reaches(there, '10.90.0.9')).toBe(false);
  });

  it('may have no gateway: then the bridge has no address, and a container has the first', async () => {
    const inner: NetworkChoice = { name: 'inner', subnets: ['10.93.0.0/24'], internal: true };
    const status = await setUp(host, box, containerRequest('c1', [{ network: inner, ips: ['10.93.0.1'] }]));
    expect(JSON.stringify(status)).toContain('"subnets":[{"ipnet":"10.93.0.1/24"}]');
    expect(await host.must('ip', ['-4', 'addr', 'show', 'br-inner'])).not.toContain('inet');
  });

  it('bring routes with them, and no default route where they are to bring none', async () => {
    for (const address of ['10.200.0.1/32', '10.201.0.1/32', 'fd00:200::1/128'])
      await host.must('ip', ['address', 'add', address, 'dev', 'lo']);
    const routed: NetworkChoice = {
      ...WEB,
      options: { no_default_route: 'true' },
      routes: [
        { destination: '10.200.0.0/16', gateway: '10.90.0.1' },
        { destination: 'fd00:200::/64', gateway: 'fd00:90::1', metric: 7 },
      ],
    };
    const request = containerRequest('c1', [{ network: routed, ips: ['10.90.0.9', 'fd00:90::9'] }]);
    await setUp(host, box, request);
    expect(await box.must('ip', ['route'])).toContain('10.200.0.0/16 via 10.90.0.1 dev eth0 proto 157 metric 100');
    expect(await box.must('ip', ['-6', 'route'])).toContain('fd00:200::/64 via fd00:90::1 dev eth0 proto 157 metric 7');
    expect(await reaches(box, '10.200.0.1')).toBe(true);
    expect(await reaches(box, 'fd00:200::1')).toBe(true);
    expect(await reaches(box, '10.201.0.1')).toBe(false);
    await box.must('ip', ['route', 'delete', '10.200.0.0/16']);
    expect((await host.tsnet(['diff'])).stdout).toContain('route 10.200.0.0/16');
    await host.mustTsnet(['repair']);
    expect(await reaches(box, '10.200.0.1')).toBe(true);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });

    // The default route is that of a network which may have it, though it comes second.
    await netavark(host, ['teardown', box.path], request);
    const both = containerRequest('c1', [
      { network: routed, ips: ['10.90.0.9', 'fd00:90::9'] },
      { network: DB, ips: ['10.91.0.9'] },
    ]);
    await setUp(host, box, both);
    expect(await box.must('ip', ['route', 'show', 'default'])).toContain('via 10.91.0.1 dev eth1');
    expect(await reaches(box, '10.201.0.1')).toBe(true);
    await netavark(host, ['teardown', box.path], both);
    expect(await leftovers()).toBe('');
  });

  it('are refused, in one line and with nothing made, where they could not be what podman wants', async () => {
    const wishes: readonly (readonly [Partial<NetworkChoice>, string])[] = [
      [{ options: { vlan: '5' } }, 'network db: option vlan of a bridge is not supported'],
      [{ options: { vrf: 'red' } }, 'network db: option vrf of a bridge is not supported'],
      [{ options: { mode: 'unmanaged' } }, 'network db: bridge mode unmanaged is not supported'],
      [{ ipam: 'none' }, 'network db: ipam driver none is not supported: containers need addresses'],
      [
        { routes: [{ destination: '10.0.0.0/8', route_type: 'blackhole' }] },
        'route 10.0.0.0/8: a route of type blackhole is not supported',
      ],
      [
        { routes: [{ destination: '10.0.0.0/8', gateway: 'fd00::1' }] },
        'connect c1 to podman-db: route 10.0.0.0/8 via fd00::1: the two are of different families',
      ],
    ];
    for (const [wish, error] of wishes) {
      const request = containerRequest('c1', [{ network: { ...DB, ...wish }, ips: ['10.91.0.9'] }]);
      const { status, stdout } = await netavark(host, ['setup', box.path], request);
      expect({ status, answer: JSON.parse(stdout) as unknown }).toEqual({ status: 1, answer: { error } });
    }
    expect(await leftovers()).toBe('');
  });

  it('come and go in parallel without a trace', async () => {
    const boxes = Array.from({ length: 6 }, () => lab.namespace('many'));
    const request = (index: number): string =>
      containerRequest(`c${String(index)}`, [{ network: DB, ips: [`10.91.0.${String(10 + index)}`] }]);
    const round = async (command: string): Promise<number[]> => {
      const calls = boxes.map(({ path }, index) => netavark(host, [command, path], request(index)));
      return (await Promise.all(calls)).map(({ status }) => status);
    };
    expect(await round('setup')).toEqual(boxes.map(() => 0));
    expect(await reaches(host, '10.91.0.15')).toBe(true);
    expect(await round('teardown')).toEqual(boxes.map(() => 0));
    expect(await leftovers()).toBe('');
  });

  it.skipIf(!kernelHasMacvlan)(
    'are macvlan on the link of the default route, with addresses of podman or of a DHCP server',
    async () => {
      const lan = await makeLan(lab, 1);
      const [machine] = lan.hosts as [Host];
      await machine.must('ip', ['route', 'add', 'default', 'via', '192.168.22.1']);
      const lanNetwork: NetworkChoice = {
        name: 'lan',
        driver: 'macvlan',
        networkInterface: '',
        subnets: ['192.168.22.0/24 192.168.22.1'],
      };
      await setUp(machine, box, containerRequest('c1', [{ network: lanNetwork, ips: ['192.168.22.200'] }]));
      expect(await reaches(lan.router, '192.168.22.200')).toBe(true);

      const server = await startDhcpServer(lan.router);
      const leased: NetworkChoice = { ...lanNetwork, name: 'leased', subnets: [], ipam: 'dhcp' };
      const there = lab.namespace('there');
      const status = JSON.stringify(await setUp(machine, there, containerRequest('c2', [{ network: leased }])));
      expect(status).toMatch(/"ipnet":"192\.168\.22\.[5-9]\d\/24"/);
      server.close();
    },
  );
});

describe('through a daemon', () => {
  const named = containerRequest('c1', [{ network: DB, ips: ['10.91.0.9'] }]).replace(
    '"dns_enabled":false',
    '"dns_enabled":true',
  );
  const aardvark = ['--aardvark-binary', '/bin/false'];
  const file = (): string => path.join(host.dir, 'netavark/aardvark-dns/db');

  it('tells aardvark-dns who is there, and who is gone, in files of the caller', async () => {
    await host.startDaemon();
    const set = await netavark(host, [...aardvark, 'setup', box.path], named);
    expect(JSON.parse(set.stdout)).toMatchObject({ db: { dns_server_ips: ['127.0.0.11', '10.91.0.1'] } });
    expect(readFileSync(file(), 'utf8')).toContain('c1 10.91.0.9');
    expect(await netavark(host, [...aardvark, 'teardown', box.path], named)).toMatchObject({ status: 0, stdout: '' });
    expect(existsSync(file())).toBe(false);
    expect(await leftovers()).toBe('');
  });

  it('sets no container up whose names it cannot tell', async () => {
    await host.startDaemon();
    writeFileSync(path.join(host.dir, 'netavark'), 'in the way');
    const { status, stdout } = await netavark(host, [...aardvark, 'setup', box.path], named);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: expect.stringContaining('netavark') as string });
    expect(await leftovers()).toBe('');
  });
});

describe('as a plugin of netavark', () => {
  it('completes a network, sets it up and tears it down', async () => {
    const plugin = path.join(host.dir, 'tsnet');
    mkdirSync(host.dir, { recursive: true });
    symlinkSync(NETAVARK, plugin);
    expect(JSON.parse((await host.run(plugin, [], { env: host.env })).stdout)).toMatchObject({ api_version: '1.0.0' });
    expect(JSON.parse((await host.run(plugin, ['info'], { env: host.env })).stdout)).toMatchObject({
      api_version: '1.0.0',
    });

    const info = networkInfo({ name: 'mine', driver: 'tsnet', networkInterface: '' });
    const given = { ...info, subnets: null };
    const created = await host.run(plugin, ['create'], { input: JSON.stringify(given), env: host.env });
    const network = JSON.parse(created.stdout) as { subnets: [{ subnet: string; gateway: string }] };
    expect(network).toMatchObject({
      name: 'mine',
      id: info['id'],
      driver: 'tsnet',
      ipam_options: { driver: 'host-local' },
    });
    const { subnet, gateway } = network.subnets[0];
    const ip = gateway.replace(/1$/, '9');
    expect(subnet).toMatch(/^172\./);

    const request = JSON.stringify({
      container_id: 'c1',
      container_name: 'c1',
      port_mappings: null,
      network,
      network_options: { interface_name: 'eth0', static_ips: [ip] },
    });
    const set = await host.run(plugin, ['setup', box.path], { input: request, env: host.env });
    expect(JSON.parse(set.stdout)).toMatchObject({ interfaces: { eth0: { subnets: [{ gateway }] } } });
    expect(await reaches(host, ip)).toBe(true);
    expect(await host.run(plugin, ['teardown', box.path], { input: request, env: host.env })).toMatchObject({
      status: 0,
      stdout: '',
    });
    expect(await leftovers()).toBe('');
  });
});
