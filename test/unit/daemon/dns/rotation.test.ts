import { expect, it } from 'vitest';
import { openRotation } from '../../../../src/daemon/dns/rotation.ts';

it('puts each first in turn, whatever else is asked in between', () => {
  const rotate = openRotation();
  const firsts = Array.from({ length: 9 }, () => {
    rotate('AAAA app', ['x', 'y', 'z']);
    return rotate('A app', ['a', 'b', 'c'])[0];
  });
  expect(firsts.join('')).toBe('abcabcabc');
});

it('keeps all of them, and a single one as it is', () => {
  const rotate = openRotation();
  rotate('A app', [1, 2, 3]);
  expect(rotate('A app', [1, 2, 3])).toEqual([2, 3, 1]);
  expect(rotate('A app', [1])).toEqual([1]);
  expect(rotate('A app', [])).toEqual([]);
});
