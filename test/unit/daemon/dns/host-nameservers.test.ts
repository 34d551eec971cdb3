import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { followHostNameservers } from '../../../../src/daemon/dns/host-nameservers.ts';

it('follows the file through rewriting, replacing, a symbolic link and removal, looking ten times a second at most', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-resolv-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const file = path.join(dir, 'resolv.conf');
  const clock = { ms: 1000 };
  const servers = followHostNameservers(file, () => clock.ms);
  const addresses = (): string[] => {
    clock.ms += 100;
    return servers().map(({ address }) => address);
  };
  expect(addresses()).toEqual([]);
  writeFileSync(file, 'nameserver 127.0.0.53\nnameserver nonsense\nnameserver fe80::1%eth0\nsearch lan\n');
  expect(addresses()).toEqual(['127.0.0.53', 'fe80::1%eth0']);
  writeFileSync(file, 'nameserver 192.0.2.1\n');
  expect(servers().map(({ address }) => address)).toEqual(['127.0.0.53', 'fe80::1%eth0']);
  expect(addresses()).toEqual(['192.0.2.1']);
  writeFileSync(`${file}.new`, 'nameserver 192.0.2.2\n');
  renameSync(`${file}.new`, file);
  expect(addresses()).toEqual(['192.0.2.2']);
  unlinkSync(file);
  writeFileSync(path.join(dir, 'real'), 'nameserver 192.0.2.3\n');
  symlinkSync('real', file);
  expect(addresses()).toEqual(['192.0.2.3']);
  writeFileSync(path.join(dir, 'real'), 'nameserver 192.0.2.44\n');
  expect(addresses()).toEqual(['192.0.2.44']);
  unlinkSync(file);
  expect(addresses()).toEqual([]);
});
