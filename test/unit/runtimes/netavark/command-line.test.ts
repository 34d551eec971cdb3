import { describe, expect, it } from 'vitest';
import { NetavarkUsage, parseInvocation } from '../../../../src/runtimes/netavark/command-line.ts';

const parse = (...argv: readonly string[]): ReturnType<typeof parseInvocation> =>
  parseInvocation(argv, { isPlugin: false, version: 'netavark X\n' });

describe('the command line of netavark', () => {
  it('is understood as podman 4.3 writes it', () => {
    expect(
      parse(
        '--config',
        '/run/containers/networks',
        '--rootless=false',
        '--aardvark-binary=/usr/lib/podman/aardvark-dns',
        'setup',
        '/run/netns/n1',
      ),
    ).toEqual({
      command: { kind: 'setup', netns: '/run/netns/n1' },
      configFolder: '/run/containers/networks',
      aardvark: '/usr/lib/podman/aardvark-dns',
      isRootless: false,
    });
  });

  it('takes options in every form and place', () => {
    const command = { kind: 'teardown', netns: '/n' };
    expect(parse('teardown', '/n', '-f', '/x', '-r', 'true')).toMatchObject({ command, file: '/x', isRootless: true });
    expect(parse('-f/x', '-c=/c', 'teardown', '/n')).toMatchObject({ command, file: '/x', configFolder: '/c' });
    expect(parse('--file=-', '--firewall-driver', 'none', '--plugin-directory=/p', 'teardown', '/n')).toEqual({
      command,
      isRootless: false,
    });
  });

  it('has every command of 1.4 to 2.x', () => {
    expect(parse('update', 'web', '--network-dns-servers', '1.1.1.1,8.8.8.8').command).toEqual({
      kind: 'update',
      network: 'web',
      dnsServers: ['1.1.1.1', '8.8.8.8'],
    });
    expect(parse('update', 'web', '--network-dns-servers=').command).toMatchObject({ dnsServers: [] });
    for (const kind of ['create', 'version', 'info', 'firewall-reload']) expect(parse(kind).command).toEqual({ kind });
    expect(parse('firewalld-reload').command).toEqual({ kind: 'firewall-reload' });
    expect(parse('dhcp-proxy', '--timeout', '5').command).toEqual({ kind: 'nothing' });
    expect(parse('--version').command).toEqual({ kind: 'print', text: 'netavark X\n' });
    expect(parse('setup', '--help').command).toMatchObject({ kind: 'print' });
  });

  it('refuses what it does not know', () => {
    const wrong = [
      [],
      ['frob'],
      ['setup'],
      ['setup', '/n', '/m'],
      ['--frob', 'version'],
      ['--config'],
      ['-r', 'x', 'version'],
    ];
    for (const argv of wrong) expect(() => parse(...argv), argv.join(' ')).toThrow(NetavarkUsage);
  });

  it('tells what it is when a plugin’s name calls it', () => {
    expect(parseInvocation([], { isPlugin: true, version: '' }).command).toEqual({ kind: 'info' });
  });
});
