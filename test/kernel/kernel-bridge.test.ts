import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../support/lab.ts';
import { bridge, BRIDGE, hasLink, ipLink, Stage } from './kernel-stage.ts';

let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});
afterEach(() => stage.close());

const adopted = { ...bridge, adopted: true };

describe('a bridge of ours', () => {
  test('is made up, with its MTU, MAC and alias', async () => {
    await stage.ensure([bridge]);
    const link = await ipLink(BRIDGE);
    expect(link).toMatchObject({ mtu: 1450, address: bridge.mac, ifalias: bridge.tag });
    expect(link.linkinfo?.info_kind).toBe('bridge');
    expect(link.flags).toContain('UP');
  });

  test('stays the same link when it is ensured again', async () => {
    await stage.ensure([bridge]);
    const before = await must('ip', ['-o', 'link', 'show', BRIDGE]);
    await stage.ensure([bridge]);
    expect(await must('ip', ['-o', 'link', 'show', BRIDGE])).toBe(before);
  });

  test('is observed missing, present, and wrong in words', async () => {
    expect(await stage.states([bridge])).toEqual(['missing']);
    await stage.ensure([bridge]);
    expect(await stage.states([bridge])).toEqual(['present']);
    await must('ip', ['link', 'set', BRIDGE, 'down', 'mtu', '1400']);
    expect(await stage.states([bridge])).toEqual(['mtu 1400 instead of 1450; down']);
  });

  test('is mended in place', async () => {
    await stage.ensure([bridge]);
    await must('ip', ['link', 'set', BRIDGE, 'down', 'mtu', '1400']);
    await stage.ensure([bridge]);
    expect(await stage.states([bridge])).toEqual(['present']);
  });

  test('floods multicast where it is to, and is mended', async () => {
    const flooding = { ...bridge, multicastSnooping: false } as const;
    const snooping = async (): Promise<string | undefined> =>
      /mcast_snooping (\d)/.exec(await must('ip', ['-d', 'link', 'show', BRIDGE]))?.[1];
    await stage.ensure([flooding]);
    expect(await snooping()).toBe('0');
    expect(await stage.states([flooding])).toEqual(['present']);
    await must('ip', ['link', 'set', BRIDGE, 'type', 'bridge', 'mcast_snooping', '1']);
    expect(await stage.states([flooding])).toEqual(['multicast snooping on']);
    expect(await stage.states([bridge])).toEqual(['present']);
    await stage.ensure([flooding]);
    expect(await snooping()).toBe('0');
  });

  test('is known again by its MAC when a crash came before its alias', async () => {
    await must('ip', ['link', 'add', BRIDGE, 'address', bridge.mac, 'type', 'bridge']);
    await stage.ensure([bridge]);
    expect(await stage.states([bridge])).toEqual(['present']);
  });

  test('is removed, and removing it again succeeds', async () => {
    await stage.ensure([bridge]);
    await stage.remove([bridge]);
    expect(await hasLink(BRIDGE)).toBe(false);
    await stage.remove([bridge]);
  });

  test('may be ensured by several at once', async () => {
    await Promise.all([stage.ensure([bridge]), stage.ensure([bridge]), stage.ensure([bridge])]);
    expect(await stage.states([bridge])).toEqual(['present']);
  });
});

describe("somebody else's link of that name", () => {
  test('is neither used nor removed when it is a bridge', async () => {
    await must('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
    await expect(stage.ensure([bridge])).rejects.toMatchObject({ code: 'CONFLICT' });
    await stage.remove([bridge]);
    expect(await hasLink(BRIDGE)).toBe(true);
  });

  test('is named in the error when it is no bridge', async () => {
    await must('ip', ['link', 'add', BRIDGE, 'type', 'veth', 'peer', 'name', 'tskother']);
    await expect(stage.ensure([bridge])).rejects.toThrow(/cannot use tsk0 as a bridge: it is a veth interface/);
    expect(await stage.states([bridge])).toEqual(['tsk0 is not a bridge but a veth interface']);
    await stage.remove([bridge]);
    expect(await hasLink(BRIDGE)).toBe(true);
  });
});

describe('an adopted bridge', () => {
  test('is refused when it is not there', async () => {
    await expect(stage.ensure([adopted])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await stage.states([adopted])).toEqual(['missing']);
  });

  test('is used as it is: never changed, never removed', async () => {
    await must('ip', ['link', 'add', BRIDGE, 'mtu', '1300', 'type', 'bridge']);
    const before = await must('ip', ['-o', '-d', 'link', 'show', BRIDGE]);
    await stage.ensure([adopted]);
    expect(await stage.states([adopted])).toEqual(['present']);
    await stage.remove([adopted]);
    expect(await must('ip', ['-o', '-d', 'link', 'show', BRIDGE])).toBe(before);
  });
});
