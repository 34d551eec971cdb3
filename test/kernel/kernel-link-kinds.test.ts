import { afterEach, beforeEach, expect, test } from 'vitest';
import { must, run } from '../support/lab.ts';
import { Stage } from './kernel-stage.ts';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.close());

/** Whether ip(8) can make one. */
async function canMake(...link: readonly string[]): Promise<boolean> {
  const { status } = await run('ip', ['link', 'add', ...link]);
  if (status === 0) await run('ip', ['link', 'delete', 'probe0']);
  return status === 0;
}

test('the kinds of link that this kernel has are told, and none is made', async () => {
  const before = await must('ip', ['-o', 'link']);
  const kinds = await stage.kernel.supportedLinkKinds(['bridge', 'veth', 'macvlan', 'ipvlan', 'vlan', 'nonsense']);
  expect(await must('ip', ['-o', 'link'])).toBe(before);
  await must('ip', ['link', 'add', 'parent0', 'type', 'bridge']);
  const possible = {
    bridge: await canMake('probe0', 'type', 'bridge'),
    veth: await canMake('probe0', 'type', 'veth'),
    macvlan: await canMake('probe0', 'link', 'parent0', 'type', 'macvlan'),
    ipvlan: await canMake('probe0', 'link', 'parent0', 'type', 'ipvlan'),
    vlan: await canMake('link', 'parent0', 'name', 'probe0', 'type', 'vlan', 'id', '5'),
    nonsense: false,
  };
  await must('ip', ['link', 'delete', 'parent0']);
  expect(Object.fromEntries(kinds)).toEqual(possible);
});
