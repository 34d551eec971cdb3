import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResolverOverrides } from '../../../src/model/records.ts';
import { asksOnlyResolvedStub, parseResolvConf, sandboxResolvConf } from '../../../src/model/resolv-conf.ts';

const NOTHING: ResolverOverrides = { dns: [], dnsSearch: [], dnsOpts: [] };

function made(
  host: string,
  overrides: Partial<ResolverOverrides> = {},
  families = { ipv4: true, ipv6: false },
): string[] {
  const text = sandboxResolvConf({
    host: parseResolvConf(host),
    source: '/etc/resolv.conf',
    overrides: { ...NOTHING, ...overrides },
    ...families,
  });
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('reading a resolv.conf', () => {
  it('keeps nameservers, options of all lines, the last search list and what it does not know', () => {
    const text = [
      '; a comment',
      '# another',
      'domain old.example',
      'search a.example b.example',
      '  nameserver 10.0.0.1  trailing',
      'nameserver\t10.0.0.2',
      'options ndots:2',
      'options rotate',
      'sortlist 10.0.0.0/8',
    ].join('\n');
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['10.0.0.1', '10.0.0.2'],
      search: ['a.example', 'b.example'],
      options: ['ndots:2', 'rotate'],
      others: ['sortlist 10.0.0.0/8'],
    });
  });

  it('takes a later domain line as the search list', () => {
    expect(parseResolvConf('search a b\ndomain c.example').search).toEqual(['c.example']);
  });

  it('knows the stub of systemd-resolved when it is the only server', () => {
    expect(asksOnlyResolvedStub(parseResolvConf('nameserver 127.0.0.53'))).toBe(true);
    expect(asksOnlyResolvedStub(parseResolvConf('nameserver 127.0.0.53\nnameserver 10.0.0.1'))).toBe(false);
    expect(asksOnlyResolvedStub(parseResolvConf(''))).toBe(false);
  });

  it('never fails, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof made(text).length === 'number'));
  });
});

describe('the resolv.conf of a sandbox', () => {
  it('keeps the servers of the host that a sandbox can reach', () => {
    const host = 'nameserver 127.0.0.1\nnameserver 10.0.0.1\nnameserver ::1\nnameserver 0.0.0.0\nnameserver 127.1.2.3';
    expect(made(host)).toEqual(['nameserver 10.0.0.1']);
  });

  it('drops IPv6 servers unless the sandbox has IPv6, and link-local ones always', () => {
    const host = 'nameserver 10.0.0.1\nnameserver 2001:db8::1\nnameserver fe80::1%eth0';
    expect(made(host)).toEqual(['nameserver 10.0.0.1']);
    expect(made(host, {}, { ipv4: true, ipv6: true })).toEqual(['nameserver 10.0.0.1', 'nameserver 2001:db8::1']);
    expect(made(host, {}, { ipv4: false, ipv6: true })).toEqual(['nameserver 2001:db8::1']);
  });

  it('asks public servers when none is left', () => {
    expect(made('nameserver 127.0.0.53')).toEqual(['nameserver 8.8.8.8', 'nameserver 8.8.4.4']);
    expect(made('', {}, { ipv4: false, ipv6: true })).toEqual([
      'nameserver 2001:4860:4860::8888',
      'nameserver 2001:4860:4860::8844',
    ]);
  });

  it('keeps search and options of the host, and what it does not know', () => {
    expect(made('nameserver 10.0.0.1\nsearch a.example\noptions ndots:1 rotate\nsortlist 10.0.0.0')).toEqual([
      'nameserver 10.0.0.1',
      'search a.example',
      'options ndots:1 rotate',
      'sortlist 10.0.0.0',
    ]);
  });

  it('takes each configured value in place of the host’s, loopback servers included', () => {
    const host = 'nameserver 10.0.0.1\nsearch a.example\noptions ndots:1';
    expect(made(host, { dns: ['127.0.0.1', '2001:db8::1'] })).toEqual([
      'nameserver 127.0.0.1',
      'nameserver 2001:db8::1',
      'search a.example',
      'options ndots:1',
    ]);
    expect(made(host, { dnsSearch: ['b.example'], dnsOpts: ['rotate'] })).toEqual([
      'nameserver 10.0.0.1',
      'search b.example',
      'options rotate',
    ]);
  });

  it('has no search list for the configured "."', () => {
    expect(made('nameserver 10.0.0.1\nsearch a.example', { dnsSearch: ['.'] })).toEqual(['nameserver 10.0.0.1']);
  });

  it('says who wrote it and from what', () => {
    const text = sandboxResolvConf({
      host: parseResolvConf('nameserver 10.0.0.1'),
      source: '/run/x',
      overrides: { ...NOTHING, dnsOpts: ['rotate'] },
      ipv4: true,
      ipv6: false,
    });
    expect(text).toMatch(/^# Written by tsnet; based on \/run\/x\.\n# Replaced by configuration: options\.\n/);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('is read back as it was written', () => {
    const words = fc.array(fc.stringMatching(/^[a-z][a-z0-9.:-]{0,9}$/), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.ipV4(), { minLength: 1, maxLength: 3 }), words, words, (dns, dnsSearch, dnsOpts) => {
        const text = made('', { dns, dnsSearch, dnsOpts }).join('\n');
        expect(parseResolvConf(text)).toEqual({ nameservers: dns, search: dnsSearch, options: dnsOpts, others: [] });
      }),
    );
  });
});

describe('with the name service', () => {
  const served = (host: string, dnsOpts: readonly string[] = [], dns: readonly string[] = []): string[] =>
    sandboxResolvConf({
      host: parseResolvConf(host),
      source: '/etc/resolv.conf',
      overrides: { ...NOTHING, dnsOpts, dns },
      ipv4: true,
      ipv6: false,
      nameService: true,
    })
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));

  it('asks it first, the others behind it, and bare names as they are', () => {
    expect(served('nameserver 10.0.0.1\noptions edns0')).toEqual([
      'nameserver 127.0.0.11',
      'nameserver 10.0.0.1',
      'options edns0 ndots:0',
    ]);
    expect(served('nameserver 10.0.0.1', [], ['10.0.0.9']).slice(0, 2)).toEqual([
      'nameserver 127.0.0.11',
      'nameserver 10.0.0.9',
    ]);
  });

  it('leaves ndots as somebody chose it', () => {
    expect(served('nameserver 10.0.0.1\noptions ndots:2')).toContain('options ndots:2');
    expect(served('nameserver 10.0.0.1\noptions ndots:2', ['ndots:5'])).toContain('options ndots:5');
  });

  it('names it once', () => {
    expect(
      served('nameserver 10.0.0.1', [], ['127.0.0.11', '10.0.0.9']).filter((line) => line.includes('.11')),
    ).toHaveLength(1);
  });
});
