import { describe, expect, it } from 'vitest';
import { withEntry, withoutContainer, withUpstreams } from '../../../../src/runtimes/netavark/aardvark-file.ts';

const header = { listen: ['10.99.1.1', 'fd00:99::1'], upstreams: [] };
const c1 = { containerId: 'c1', addresses: ['10.99.1.2', 'fd00:99::2'], names: ['web', 'www'], dnsServers: [] };
const c2 = { containerId: 'c2', addresses: ['10.99.1.3'], names: ['db'], dnsServers: ['1.1.1.1', '8.8.8.8'] };

describe('a file of aardvark-dns', () => {
  it('is what netavark 1.4 writes', () => {
    const one = withEntry(undefined, header, c1);
    expect(one).toBe('10.99.1.1,fd00:99::1\nc1 10.99.1.2 fd00:99::2 web,www\n');
    expect(withEntry(one, header, c2)).toBe(`${one}c2 10.99.1.3  db 1.1.1.1,8.8.8.8\n`);
  });

  it('keeps its header, and has a container once', () => {
    const before = '10.0.0.1 9.9.9.9\nc1 10.99.1.9  old\n';
    expect(withEntry(before, header, c1)).toBe('10.0.0.1 9.9.9.9\nc1 10.99.1.2 fd00:99::2 web,www\n');
  });

  it('ends with its last container', () => {
    const both = withEntry(withEntry(undefined, header, c1), header, c2);
    const one = withoutContainer(both, 'c1');
    expect(one).toBe('10.99.1.1,fd00:99::1\nc2 10.99.1.3  db 1.1.1.1,8.8.8.8\n');
    expect(withoutContainer(one ?? '', 'c2')).toBeUndefined();
    expect(withoutContainer(both, 'c')).toBe(both);
  });

  it('is told whom to ask outside', () => {
    const before = withEntry(undefined, header, c1);
    const asking = withUpstreams(before, ['1.1.1.1', '8.8.8.8']);
    expect(asking.split('\n')[0]).toBe('10.99.1.1,fd00:99::1 1.1.1.1,8.8.8.8');
    expect(withUpstreams(asking, [])).toBe(before);
  });
});
