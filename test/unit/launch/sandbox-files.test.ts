import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  rewriteHosts,
  sandboxFolder,
  sweepSandboxFiles,
  writeSandboxFiles,
} from '../../../src/launch/sandbox-files.ts';

const DNS = { dns: ['10.9.8.7'], dnsSearch: [], dnsOpts: [] };
const WEB = { name: 'web', endpoints: [{ addresses: [{ address: '172.17.0.2/16' }], aliases: ['www'] }] };

let execRoot: string;
let folder: string;

beforeEach(() => {
  execRoot = mkdtempSync(path.join(tmpdir(), 'tsnet-files-'));
  folder = sandboxFolder(execRoot, 'a1');
});

afterEach(() => {
  rmSync(execRoot, { recursive: true, force: true });
});

describe('the files of a sandbox', () => {
  it('are a resolv.conf and a hosts file that names its addresses', () => {
    const files = writeSandboxFiles(folder, WEB, DNS);
    expect(Object.keys(files)).toEqual(['/etc/resolv.conf', '/etc/hosts']);
    expect(readFileSync(files['/etc/resolv.conf'] ?? '', 'utf8')).toContain('nameserver 10.9.8.7\n');
    expect(readFileSync(files['/etc/hosts'] ?? '', 'utf8')).toContain(`172.17.0.2\t${hostname()} web www\n`);
  });

  it('include a host name when it has one of its own', () => {
    const files = writeSandboxFiles(folder, { ...WEB, hostname: 'box' }, DNS);
    expect(readFileSync(files['/etc/hostname'] ?? '', 'utf8')).toBe('box\n');
  });

  it('have their hosts file rewritten in place, under the same host name', () => {
    const file = writeSandboxFiles(folder, { ...WEB, hostname: 'box' }, DNS)['/etc/hosts'] ?? '';
    const { ino } = statSync(file);
    rewriteHosts(folder, { name: 'web', endpoints: [{ addresses: [{ address: 'fd00::2/64' }], aliases: [] }] });
    expect(readFileSync(file, 'utf8')).toContain('fd00::2\tbox web\n');
    expect(readFileSync(file, 'utf8')).not.toContain('172.17.0.2');
    // A bind mount holds on to the file, not to its name.
    expect(statSync(file).ino).toBe(ino);
  });

  it('are not made for a sandbox that has none', () => {
    rewriteHosts(folder, WEB);
    expect(existsSync(folder)).toBe(false);
  });

  it('are swept away once nobody knows the sandbox', async () => {
    writeSandboxFiles(folder, WEB, DNS);
    writeSandboxFiles(sandboxFolder(execRoot, 'b2'), WEB, DNS);
    await sweepSandboxFiles(execRoot, () => Promise.resolve(new Set(['b2'])));
    expect([existsSync(folder), existsSync(sandboxFolder(execRoot, 'b2'))]).toEqual([false, true]);
  });
});
