/** What is found on hosts with Docker, ufw and firewalld, before and after the administrator typed what was said. */
import { describe, expect, it } from 'vitest';
import { recordedHost, recording } from './recorded-host.ts';

const NETWORKS = [
  { family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' },
  { family: 6, bridge: 'tsnet0', subnet: 'fd00:17::/64' },
] as const;

const found = async (host: string): Promise<string[]> =>
  (await recordedHost(recording(host)).find(NETWORKS, 'fresh')).map(
    ({ family, bridge, chain, why, remedy }) => `IPv${family} ${bridge}: ${chain}: ${why}: ${remedy}`,
  );

describe('a host with', () => {
  it('Docker', async () => {
    expect(await found('docker')).toEqual([
      'IPv4 tsnet0: table ip filter, chain FORWARD: policy drop: ' +
        'iptables -I DOCKER-USER -i tsnet0 -j ACCEPT && iptables -I DOCKER-USER -o tsnet0 -j ACCEPT',
      // This Docker makes no such chain for IPv6.
      'IPv6 tsnet0: table ip6 filter, chain FORWARD: policy drop: ' +
        'ip6tables -I FORWARD -i tsnet0 -j ACCEPT && ip6tables -I FORWARD -o tsnet0 -j ACCEPT',
    ]);
  });

  it('ufw', async () => {
    const remedy = 'ufw route allow in on tsnet0 && ufw route allow out on tsnet0';
    expect(await found('ufw')).toEqual([
      `IPv4 tsnet0: table ip filter, chain FORWARD: policy drop: ${remedy}`,
      `IPv6 tsnet0: table ip6 filter, chain FORWARD: policy drop: ${remedy}`,
    ]);
  });

  it('firewalld, which rejects what goes out and lets published ports in', async () => {
    const remedy =
      'firewall-cmd --zone=trusted --change-interface=tsnet0 && ' +
      'firewall-cmd --permanent --zone=trusted --change-interface=tsnet0';
    expect(await found('firewalld')).toEqual([
      `IPv4 tsnet0: table inet firewalld, chain filter_FORWARD: ends with reject: ${remedy}`,
      `IPv6 tsnet0: table inet firewalld, chain filter_FORWARD: ends with reject: ${remedy}`,
    ]);
  });

  it.each(['docker', 'ufw', 'firewalld'])('%s, once its remedy was typed', async (host) => {
    expect(await found(`${host}-mended`)).toEqual([]);
  });
});

describe('reading', () => {
  it('asks for no chain that a packet of the network does not come to', async () => {
    const { find, asked } = recordedHost(recording('docker'));
    await find(NETWORKS, 'fresh');
    expect(asked).toEqual([
      'nft -j -p -t list chains',
      'nft -j -p -t list sets',
      ...['FORWARD', 'DOCKER-USER', 'DOCKER-ISOLATION-STAGE-1'].map(
        (name) => `nft -j -p -t list chain ip filter ${name}`,
      ),
      ...['FORWARD', 'DOCKER-ISOLATION-STAGE-1'].map((name) => `nft -j -p -t list chain ip6 filter ${name}`),
    ]);
  });

  it('asks iptables for what its extensions look for only where that decides', async () => {
    const { find, asked } = recordedHost(recording('ufw'));
    await find(NETWORKS, 'fresh');
    expect(asked.filter((command) => !command.startsWith('nft'))).toEqual([
      'iptables-nft -t filter -S ufw-before-forward',
      'ip6tables-nft -t filter -S ufw6-before-forward',
    ]);
  });

  it('tells nothing where iptables cannot be asked', async () => {
    const answers = new Map([...recording('ufw')].filter(([command]) => command.startsWith('nft')));
    expect(await recordedHost(answers).find(NETWORKS, 'fresh')).toEqual([]);
  });

  it('tells nothing where nothing can be read', async () => {
    expect(await recordedHost(new Map()).find(NETWORKS, 'fresh')).toEqual([]);
  });

  it('leaves a table with sets of addresses alone, unless it drops by its policy or is firewalld’s', async () => {
    const sets = (table: string): [string, string] => [
      'nft -j -p -t list sets',
      `{"nftables":[{"set":{"family":"inet","table":"${table}","name":"blocked","type":"ipv4_addr"}}]}`,
    ];
    const renamed = (text: string): string =>
      text.replaceAll('inet firewalld', 'inet wall').replaceAll('"firewalld"', '"wall"');
    const wall = new Map([...recording('firewalld')].map(([command, output]) => [renamed(command), renamed(output)]));
    const dropping = new Map(
      [...wall].map(([command, output]) => [
        command,
        output.replace('"forward","prio":10,"policy":"accept"', '"forward","prio":10,"policy":"drop"'),
      ]),
    );
    const drops = async (answers: ReadonlyMap<string, string>): Promise<number> =>
      (await recordedHost(answers).find(NETWORKS, 'fresh')).length;
    expect(await drops(wall)).toBe(2);
    expect(await drops(new Map([...wall, sets('wall')]))).toBe(0);
    expect(await drops(new Map([...wall, sets('other')]))).toBe(2);
    expect(await drops(new Map([...dropping, sets('wall')]))).toBe(2);
    expect(await drops(new Map([...recording('firewalld'), sets('firewalld')]))).toBe(2);
  });

  it('asks nothing without networks, and where tsnet writes no rules', async () => {
    const idle = recordedHost(recording('docker'));
    const ruleless = recordedHost(recording('docker'), { backend: 'none' });
    expect([await idle.find([], 'fresh'), await ruleless.find(NETWORKS, 'fresh')]).toEqual([[], []]);
    expect([idle.asked, ruleless.asked]).toEqual([[], []]);
  });

  it('looks once a second, unless a fresh look is asked for', async () => {
    let time = 0;
    const { find, asked } = recordedHost(recording('docker'), { now: () => time });
    const looks = async (age: 'fresh' | 'recent'): Promise<number> => {
      expect(await find(NETWORKS, age)).toHaveLength(2);
      return asked.filter((command) => command.endsWith('list chains')).length;
    };
    expect(await looks('recent')).toBe(1);
    time = 999;
    const before = asked.length;
    expect(await looks('recent')).toBe(1);
    expect(asked).toHaveLength(before);
    time = 1000;
    expect(await looks('recent')).toBe(2);
    expect(await looks('fresh')).toBe(3);
  });
});

describe('with the backend iptables,', () => {
  /** Docker's FORWARD with one more chain in the table. */
  const docker = (...chains: readonly string[]): ReadonlyMap<string, string> => {
    const answers = new Map(recording('docker'));
    const more = chains.map((name) => `{"chain":{"family":"ip","table":"filter","name":"${name}"}},`).join('');
    const listed = answers.get('nft -j -p -t list chains') ?? '';
    return answers.set('nft -j -p -t list chains', listed.replace('{"nftables":[', `{"nftables":[${more}`));
  };

  it('the chain that our jumps stand in does not count', async () => {
    expect(await recordedHost(docker('TSNET-FORWARD'), { backend: 'iptables' }).find(NETWORKS, 'fresh')).toEqual([]);
    expect(await recordedHost(docker('TSNET-FORWARD')).find(NETWORKS, 'fresh')).toHaveLength(2);
  });

  it('nor does it where our chains were flushed, for it may be the one', async () => {
    expect(await recordedHost(docker(), { backend: 'iptables' }).find(NETWORKS, 'fresh')).toEqual([]);
  });

  it('chains of other tables do', async () => {
    expect(await recordedHost(recording('firewalld'), { backend: 'iptables' }).find(NETWORKS, 'fresh')).toHaveLength(2);
  });
});
