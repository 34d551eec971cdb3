import { describe, expect, it } from 'vitest';
import { hostsFile } from '../../../src/model/hosts-file.ts';

describe('the hosts file of a sandbox', () => {
  it('has the layout of Docker’s', () => {
    expect(hostsFile([{ address: '172.17.0.2', names: ['web'] }])).toBe(
      [
        '127.0.0.1\tlocalhost',
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'fe00::\tip6-localnet',
        'ff00::\tip6-mcastprefix',
        'ff02::1\tip6-allnodes',
        'ff02::2\tip6-allrouters',
        '172.17.0.2\tweb',
        '',
      ].join('\n'),
    );
  });

  it('adds the short form of a name with a domain, right after it', () => {
    expect(hostsFile([{ address: 'fd00::2', names: ['web.example.org', 'www'] }])).toContain(
      'fd00::2\tweb.example.org web www\n',
    );
  });

  it('writes each name once and leaves out addresses without names', () => {
    const text = hostsFile([
      { address: '10.0.0.2', names: ['web', 'web', 'www'] },
      { address: '10.0.0.3', names: [] },
    ]);
    expect(text).toContain('10.0.0.2\tweb www\n');
    expect(text).not.toContain('10.0.0.3');
  });
});
