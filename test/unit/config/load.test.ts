import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examineConfig, loadConfig, type ConfigRequest } from '../../../src/config/load.ts';
import { TsnetError } from '../../../src/model/error.ts';

let folder: string;
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsnet-config-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(content: string | Uint8Array): string {
  const file = join(folder, `daemon-${(files += 1)}.json`);
  writeFileSync(file, content);
  return file;
}

function withFile(content: object, request: Partial<ConfigRequest> = {}): ConfigRequest {
  return { file: write(JSON.stringify(content)), env: {}, ...request };
}

const nothing: ConfigRequest = { env: { TSNET_CONFIG: '/nonexistent/daemon.json' } };

/** The Docker file of a user, as it stands. */
const DOCKER_FILE = {
  'registry-mirrors': ['https://mirror.example.com'],
  bip: '192.168.1.5/24',
  'fixed-cidr': '192.168.1.5/25',
  'fixed-cidr-v6': '2001:db8::/64',
  mtu: 1500,
  'default-gateway': '192.168.1.1',
  'default-gateway-v6': '2001:db8:abcd::89',
  dns: ['114.114.114.114', '100.100.2.138'],
};

describe('without a file', () => {
  test('the defaults are Docker’s', () => {
    const config = loadConfig(nothing);
    expect(config).toMatchObject({
      dataRoot: '/var/lib/tsnet',
      execRoot: '/run/tsnet',
      hosts: ['unix:///run/tsnet/tsnet.sock'],
      bridge: '',
      mtu: 1500,
      icc: true,
      ipMasq: true,
      ip: '0.0.0.0',
      ipv6: false,
      iptables: true,
      ip6tables: true,
      ipForward: true,
      notices: [],
    });
    expect(config.file).toBeUndefined();
    expect(config.bip).toBeUndefined();
    expect(config.defaultAddressPools[0]).toEqual({ base: '172.17.0.0/16', size: 16 });
    expect(config.defaultAddressPools.at(-1)).toEqual({ base: '192.168.0.0/16', size: 20 });
  });

  test('a file named with --config must be there', () => {
    expect(() => loadConfig({ file: '/nonexistent/x.json', env: {} })).toThrow(
      /read \/nonexistent\/x.json: no such file/,
    );
  });

  test('an empty file, a blank one and an empty object say nothing', () => {
    for (const content of ['', ' \n', '{}']) {
      expect(loadConfig({ file: write(content), env: {} }).mtu).toBe(1500);
    }
  });
});

describe('who wins', () => {
  test('option over environment over file over default, and show says who', () => {
    const request = withFile(
      { 'data-root': '/file/data', 'exec-root': '/file/exec', mtu: 1400 },
      { env: { TSNET_EXEC_ROOT: '/env/exec', TSNET_HOST: 'unix:///env.sock' }, host: 'unix:///option.sock' },
    );
    const { entries, config } = examineConfig(request);
    const origin = Object.fromEntries(
      entries.map((entry) => [entry.key, `${JSON.stringify(entry.value)} ${entry.origin}`]),
    );
    expect(origin).toMatchObject({
      'data-root': '"/file/data" file',
      'exec-root': '"/env/exec" environment',
      hosts: '["unix:///option.sock"] option',
      mtu: '1400 file',
      icc: 'true default',
    });
    expect(config?.execRoot).toBe('/env/exec');
  });

  test('TSNET_CONFIG names the file; an empty variable says nothing', () => {
    const file = write('{"mtu": 1300}');
    expect(loadConfig({ env: { TSNET_CONFIG: file } })).toMatchObject({ mtu: 1300, file });
    expect(loadConfig({ ...nothing, env: { ...nothing.env, TSNET_DATA_ROOT: '' } }).dataRoot).toBe('/var/lib/tsnet');
  });

  test('the socket follows the exec root unless it is named', () => {
    expect(loadConfig({ ...nothing, execRoot: '/x' }).hosts).toEqual(['unix:///x/tsnet.sock']);
  });

  test('paths and sockets from outside the file are checked as well', () => {
    const { problems } = examineConfig({ ...nothing, dataRoot: 'relative', host: 'nonsense' });
    expect(problems).toEqual([
      '/data-root: "relative": expected an absolute path',
      '/hosts: "nonsense": expected an address such as unix:///run/tsnet/tsnet.sock',
    ]);
  });
});

describe('a Docker file', () => {
  test('works as it stands, and says what it does not do', () => {
    const config = loadConfig(withFile(DOCKER_FILE));
    expect(config).toMatchObject({
      bip: '192.168.1.5/24',
      fixedCidr: '192.168.1.0/25',
      defaultGateway: '192.168.1.1',
      dns: ['114.114.114.114', '100.100.2.138'],
      mtu: 1500,
    });
    expect(config.fixedCidrV6).toBeUndefined();
    expect(config.defaultGatewayV6).toBeUndefined();
    expect(config.notices).toEqual([
      'fixed-cidr-v6, default-gateway-v6: ignored because "ipv6" is not true',
      '/default-gateway-v6: 2001:db8:abcd::89 is outside of fixed-cidr-v6\'s subnet 2001:db8::/64; refused once "ipv6" is true',
      'not about networking, ignored: registry-mirrors',
    ]);
  });

  test('with ipv6 on, its IPv6 gateway is refused', () => {
    const { problems, config } = examineConfig(withFile({ ...DOCKER_FILE, ipv6: true }));
    expect(problems).toEqual([
      "/default-gateway-v6: 2001:db8:abcd::89 is outside of fixed-cidr-v6's subnet 2001:db8::/64",
    ]);
    expect(config).toBeUndefined();
  });

  test('all keys that are not about networking share one notice', () => {
    const { notices, problems } = examineConfig(
      withFile({
        'log-driver': 'json-file',
        'storage-driver': 'overlay2',
        'live-restore': true,
        'exec-opts': [],
        tls: true,
      }),
    );
    expect(problems).toEqual([]);
    expect(notices).toEqual([
      'not about networking, ignored: log-driver, storage-driver, live-restore, exec-opts, tls',
    ]);
  });

  test('a networking key that tsnet has no use for says why', () => {
    expect(examineConfig(withFile({ 'ip-forward-no-drop': true })).notices).toEqual([
      'ip-forward-no-drop: no effect: tsnet never changes the policy of the FORWARD chain.',
    ]);
  });
});

describe('what is refused', () => {
  const refused: [what: string, file: object, problem: string][] = [
    ['a wrong type', { mtu: 'big' }, '/mtu: "big": expected a whole number'],
    ['a fraction', { mtu: 1.5 }, '/mtu: 1.5: expected a whole number'],
    ['a number out of range', { mtu: -1 }, '/mtu: -1: expected at least 0'],
    ['text for a flag', { icc: 'no' }, '/icc: "no": expected true or false'],
    ['null', { bip: null }, '/bip: null: expected text in double quotes'],
    [
      'an unknown choice',
      { 'firewall-backend': 'pf' },
      '/firewall-backend: "pf": expected one of "", "iptables", "nftables"',
    ],
    ['a relative path', { 'data-root': 'data' }, '/data-root: "data": expected an absolute path'],
    ['a deep value', { dns: ['1.1.1.1', 7] }, '/dns/1: 7: expected text in double quotes'],
    [
      'no address',
      { dns: ['1.1.1.1', 'one'] },
      '/dns/1: "one" is not an IP address; expected one such as 192.0.2.7 or 2001:db8::7',
    ],
    [
      'a pool without size',
      { 'default-address-pools': [{ base: '10.0.0.0/8' }] },
      '/default-address-pools/0: {"base":"10.0.0.0/8"}: expected a member "size"',
    ],
    [
      'a pool with a size that does not fit',
      { 'default-address-pools': [{ base: '10.0.0.0/8', size: 4 }] },
      '/default-address-pools/0/size: 4: expected a prefix length from 8 to 32',
    ],
    [
      'a pool with host bits',
      { 'default-address-pools': [{ base: '10.0.0.1/8', size: 24 }] },
      '/default-address-pools/0/base: "10.0.0.1/8" is not a subnet; expected no host bits set: 10.0.0.0/8',
    ],
    ['an unknown key', { mtuu: 1500 }, 'unknown key /mtuu (did you mean mtu?)'],
    [
      'all unknown keys at once',
      { 'fixed-cdir': 'x', zzzzzzzzzz: 1 },
      'unknown keys /fixed-cdir (did you mean fixed-cidr?), /zzzzzzzzzz',
    ],
    [
      'an unknown key of a pool',
      { 'default-address-pools': [{ base: '10.0.0.0/8', size: 24, sise: 1 }] },
      'unknown key /default-address-pools/0/sise (did you mean size?)',
    ],
    [
      'bip with bridge',
      { bridge: 'br0', bip: '10.0.0.1/24' },
      '/bridge and /bip exclude each other: the address of a bridge of your own is yours to set',
    ],
    [
      'a bip without length',
      { bip: '10.0.0.1' },
      '/bip: "10.0.0.1" is not an address with a prefix length; expected one such as 192.168.1.5/24 or fd00::5/64',
    ],
    [
      'a bip without host part',
      { bip: '10.0.0.0/24' },
      '/bip: 10.0.0.0/24 leaves a bridge no address: that is the subnet or its broadcast; expected one inside',
    ],
    [
      'a broadcast bip',
      { bip: '10.0.0.255/24' },
      '/bip: 10.0.0.255/24 leaves a bridge no address: that is the subnet or its broadcast; expected one inside',
    ],
    ['a bip of IPv6', { bip: 'fd00::1/64' }, '/bip: "fd00::1/64" is not IPv4'],
    [
      'fixed-cidr outside of bip',
      { bip: '10.0.0.1/24', 'fixed-cidr': '10.0.1.0/25' },
      "/fixed-cidr: 10.0.1.0/25 is outside of bip's subnet 10.0.0.0/24",
    ],
    [
      'fixed-cidr wider than bip',
      { bip: '10.0.0.1/24', 'fixed-cidr': '10.0.0.0/16' },
      "/fixed-cidr: 10.0.0.0/16 is outside of bip's subnet 10.0.0.0/24",
    ],
    [
      'a gateway outside',
      { bip: '10.0.0.1/24', 'default-gateway': '10.0.1.1' },
      "/default-gateway: 10.0.1.1 is outside of bip's subnet 10.0.0.0/24",
    ],
    ['a multicast range', { ipv6: true, 'fixed-cidr-v6': 'ff02::/64' }, '/fixed-cidr-v6: ff02::/64 is multicast'],
    [
      'a range around link-local',
      { ipv6: true, 'fixed-cidr-v6': 'fe80::/10' },
      '/fixed-cidr-v6: fe80::/10 overlaps the link-local fe80::/64',
    ],
    [
      'icc off without rules',
      { icc: false, iptables: false },
      '/icc: false needs /iptables true: isolation is made of firewall rules',
    ],
    [
      'icc off without rules for IPv6',
      { icc: false, ipv6: true, ip6tables: false },
      '/icc: false with ipv6 needs /ip6tables true',
    ],
  ];
  test.each(refused)('%s', (_, file, problem) => {
    expect(examineConfig(withFile(file)).problems).toEqual([problem]);
  });

  test('everything at once, in one line that names the file', () => {
    const request = withFile({ mtu: 'x', icc: 3, foo: 1 });
    let error: unknown;
    try {
      loadConfig(request);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(TsnetError);
    expect(error).toMatchObject({
      code: 'CONFIG',
      message: `${request.file}: /mtu: "x": expected a whole number; /icc: 3: expected true or false; unknown key /foo`,
    });
  });
});

describe('what is accepted', () => {
  test('link-local fe80::/64 itself', () => {
    expect(loadConfig(withFile({ ipv6: true, 'fixed-cidr-v6': 'fe80::/64' })).fixedCidrV6).toBe('fe80::/64');
  });

  test('a bip in a /31, where every address is a host', () => {
    expect(loadConfig(withFile({ bip: '10.0.0.0/31' })).bip).toBe('10.0.0.0/31');
  });

  test('iptables off turns masquerading off, and says so where it was asked for', () => {
    expect(loadConfig(withFile({ iptables: false }))).toMatchObject({ ipMasq: false, notices: [] });
    const { config, notices } = examineConfig(withFile({ iptables: false, 'ip-masq': true }));
    expect(config?.ipMasq).toBe(false);
    expect(notices).toEqual(['ip-masq: off because "iptables" is false: masquerading is a firewall rule']);
  });

  test('a schema for editors', () => {
    expect(loadConfig(withFile({ $schema: './daemon.schema.json', mtu: 9000 })).mtu).toBe(9000);
  });
});
