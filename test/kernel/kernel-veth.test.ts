import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../support/lab.ts';
import { bridge, BRIDGE, hasLink, identify, ipLink, SANDBOX, Stage, veth } from './kernel-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = new Stage();
  await stage.ensure([bridge]);
});
afterEach(() => stage.close());

describe('a veth pair', () => {
  test('has its peer in the sandbox, up, with the wanted name, MAC and MTU', async () => {
    await stage.ensure([veth]);
    const peer = await ipLink('eth0', stage.sandbox);
    expect(peer).toMatchObject({ mtu: 1450, address: veth.mac });
    expect(peer.flags).toEqual(expect.arrayContaining(['UP', 'LOWER_UP']));
  });

  test("has its host's end up as a tagged port of the bridge", async () => {
    await stage.ensure([veth]);
    const host = await ipLink(veth.host);
    expect(host).toMatchObject({ mtu: 1450, master: BRIDGE, ifalias: veth.tag });
    expect(host.flags).toEqual(expect.arrayContaining(['UP', 'LOWER_UP']));
  });

  test.each([
    { hairpin: true, isolated: false },
    { hairpin: false, isolated: true },
  ])('has the bridge port flags %j', async (flags) => {
    await stage.ensure([{ ...veth, ...flags }]);
    expect((await ipLink(veth.host)).linkinfo?.info_slave_data).toMatchObject(flags);
    const shown = await must('bridge', ['-d', 'link', 'show', 'dev', veth.host]);
    expect(shown).toContain(`hairpin ${flags.hairpin ? 'on' : 'off'}`);
    expect(shown).toContain(`isolated ${flags.isolated ? 'on' : 'off'}`);
  });

  test('can live without a bridge', async () => {
    const { master: _, ...alone } = veth;
    await stage.ensure([alone]);
    expect((await ipLink(veth.host)).master).toBeUndefined();
    expect(await stage.states([alone])).toEqual(['present']);
  });

  test('stays the same links when it is ensured again', async () => {
    await stage.ensure([veth]);
    const look = async (): Promise<string[]> => [
      await must('ip', ['-o', 'link', 'show', veth.host]),
      await stage.sandbox.must('ip', ['-o', 'link']),
    ];
    const before = await look();
    await stage.ensure([veth]);
    expect(await look()).toEqual(before);
  });

  test('is removed with both ends, and removing it again succeeds', async () => {
    await stage.ensure([veth]);
    await stage.remove([veth]);
    expect(await hasLink(veth.host)).toBe(false);
    expect(await stage.sandbox.must('ip', ['-o', 'link'])).not.toContain('eth0');
    await stage.remove([veth]);
  });

  test('comes in runs: twenty pairs in one plan', async () => {
    const pairs = Array.from({ length: 20 }, (_, index) => ({
      ...veth,
      host: `tskr${index}`,
      peer: `eth${index}`,
      tag: `tsnet:${index}`,
    }));
    await stage.ensure(pairs);
    expect(await stage.states(pairs)).toEqual(pairs.map(() => 'present'));
    await stage.remove(pairs);
    expect(await stage.states(pairs)).toEqual(pairs.map(() => 'missing'));
  });
});

describe('a veth pair that is not as it should be', () => {
  test('is described', async () => {
    expect(await stage.states([veth])).toEqual(['missing']);
    await stage.ensure([veth]);
    await must('bridge', ['link', 'set', 'dev', veth.host, 'hairpin', 'off', 'isolated', 'on']);
    await stage.sandbox.must('ip', ['link', 'set', 'eth0', 'down', 'mtu', '1400']);
    expect(await stage.states([veth])).toEqual([
      'hairpin of tskveth0 is off; isolation of tskveth0 is on; mtu of eth0 is 1400 instead of 1450; eth0 is down',
    ]);
    await must('ip', ['link', 'set', veth.host, 'nomaster']);
    expect((await stage.states([veth]))[0]).toContain('tskveth0 is not a port of tsk0');
  });

  test('is mended in place', async () => {
    await stage.ensure([veth]);
    await must('ip', ['link', 'set', veth.host, 'nomaster', 'down', 'mtu', '1400']);
    await stage.sandbox.must('ip', ['link', 'set', 'eth0', 'down', 'address', '02:00:00:00:00:09']);
    const index = (await must('ip', ['-o', 'link', 'show', veth.host])).split(':')[0];
    await stage.ensure([veth]);
    expect(await stage.states([veth])).toEqual(['present']);
    expect((await must('ip', ['-o', 'link', 'show', veth.host])).split(':')[0]).toBe(index);
  });

  test('is made anew when its peer is gone from the sandbox', async () => {
    await stage.ensure([veth]);
    const elsewhere = stage.lab.namespace('elsewhere');
    await stage.sandbox.must('ip', ['link', 'set', 'eth0', 'netns', elsewhere.name]);
    expect(await stage.states([veth])).toEqual(['there is no eth0 in the sandbox']);
    await stage.ensure([veth]);
    expect(await stage.states([veth])).toEqual(['present']);
  });

  test('is known again and finished when a crash came before its alias', async () => {
    await stage.ensure([veth]);
    await must('ip', ['link', 'set', veth.host, 'nomaster', 'alias', '']);
    await stage.ensure([veth]);
    expect(await stage.states([veth])).toEqual(['present']);
    await must('ip', ['link', 'set', veth.host, 'alias', '']);
    await stage.remove([veth]);
    expect(await hasLink(veth.host)).toBe(false);
  });
});

describe('a veth pair that cannot be', () => {
  test("leaves somebody else's host link of that name alone", async () => {
    await must('ip', ['link', 'add', veth.host, 'type', 'veth', 'peer', 'name', 'tskother']);
    const before = await must('ip', ['-d', '-o', 'link', 'show', veth.host]);
    await expect(stage.ensure([veth])).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('is not ours') as string,
    });
    expect(await stage.states([veth])).toEqual(['tskveth0 is not ours: alias ""']);
    await stage.remove([veth]);
    expect(await must('ip', ['-d', '-o', 'link', 'show', veth.host])).toBe(before);
  });

  test('names the link that has the peer name in the sandbox', async () => {
    await stage.sandbox.must('ip', ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'x']);
    await expect(stage.ensure([veth])).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(
        `cannot create eth0 in ${stage.sandbox.path}: a link of that name is there`,
      ) as string,
    });
    await expect(stage.ensure([{ ...veth, peer: 'lo' }])).rejects.toThrow(/cannot create lo/);
    expect(await hasLink(veth.host)).toBe(false);
  });

  test("never takes somebody else's link in the sandbox for its peer", async () => {
    await stage.ensure([veth]);
    await stage.sandbox.must('ip', ['link', 'set', 'eth0', 'down', 'name', 'moved']);
    await stage.sandbox.must('ip', ['link', 'add', 'eth0', 'mtu', '1300', 'type', 'veth', 'peer', 'name', 'x']);
    expect(await stage.states([veth])).toEqual(['eth0 in the sandbox is not the other end of tskveth0']);
    await expect(stage.ensure([veth])).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await ipLink('eth0', stage.sandbox)).toMatchObject({ mtu: 1300 });
  });

  test('names the bridge that is missing, and can be undone', async () => {
    await expect(stage.ensure([{ ...veth, master: 'tsknone' }])).rejects.toThrow(
      /bridge tsknone: there is no such link/,
    );
    await stage.remove([veth]);
    expect(await hasLink(veth.host)).toBe(false);
  });
});

describe('the sandbox of a veth pair', () => {
  test('that is gone is an error to ensure, missing to observe, and nothing to remove', async () => {
    stage.namespaces.set(SANDBOX, { path: '/run/netns/never', device: 4, inode: 1 });
    await expect(stage.ensure([veth])).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('/run/netns/never is gone') as string,
    });
    expect(await stage.states([veth])).toEqual(['missing']);
    await stage.remove([veth]);
  });

  test('that was replaced by another namespace at the same path is refused', async () => {
    const other = stage.lab.namespace('other');
    stage.namespaces.set(SANDBOX, { ...identify(stage.sandbox.path), path: other.path });
    await expect(stage.ensure([veth])).rejects.toThrow(/is not the one that was attached/);
    expect(await other.must('ip', ['-o', 'link'])).not.toContain('eth0');
  });

  test("takes the host's end with it, which still can be removed", async () => {
    await stage.ensure([veth]);
    stage.namespaces.set(SANDBOX, { ...identify(stage.sandbox.path), inode: 1 });
    await stage.remove([veth]);
    expect(await hasLink(veth.host)).toBe(false);
  });
});
