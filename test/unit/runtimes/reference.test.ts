import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TsnetError } from '../../../src/model/error.ts';
import { parseReference } from '../../../src/runtimes/references/reference.ts';

function codeOf(text: string): string {
  try {
    parseReference(text);
  } catch (error) {
    if (error instanceof TsnetError) return error.code;
    throw error;
  }
  return 'none';
}

describe('a reference to a container', () => {
  it.each([
    ['/run/netns/web', { kind: 'path', path: '/run/netns/web' }],
    ['netns:web 1', { kind: 'path', path: '/run/netns/web 1' }],
    ['pid:812', { kind: 'pid', pid: 812 }],
    ['docker:web', { kind: 'docker', name: 'web' }],
    ['podman:my_web.1-a', { kind: 'podman', name: 'my_web.1-a' }],
    ['containerd:abc', { kind: 'containerd', id: 'abc' }],
    ['containerd:k8s.io/abc', { kind: 'containerd', namespace: 'k8s.io', id: 'abc' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    'netns:',
    'netns:..',
    'netns:a/b',
    'pid:',
    'pid:0',
    'pid:-1',
    'pid:1x',
    'pid:4194305',
    'docker:',
    'docker:--help',
    'docker:a/b',
    'docker:a b',
    'podman:../x',
    'containerd:../x',
    'containerd:k8s.io/../x',
    'containerd:/x',
    '/run/\0x',
  ])('%j is refused as malformed', (text) => {
    expect(codeOf(text)).toBe('INVALID');
  });

  it.each(['web', 'lxc:web', ''])('%j names nothing outside the ledger', (text) => {
    expect(codeOf(text)).toBe('NOT_FOUND');
  });

  it('never yields a name that could climb out of a folder or pass for an option', () => {
    const texts = fc
      .tuple(fc.constantFrom('docker:', 'podman:', 'containerd:', 'netns:'), fc.string())
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        if (codeOf(text) !== 'none') return;
        const parsed = parseReference(text);
        if (parsed.kind === 'path') expect(parsed.path).toMatch(/^\/run\/netns\/(?!\.\.?$)[^/]+$/);
        else expect(JSON.stringify(parsed)).not.toMatch(/\/|"-|"\.\."/);
      }),
    );
  });
});
