import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../support/lab.ts';
import type { AddressResource } from '../../src/plan/resource.ts';
import { bridge, BRIDGE, PLACE, SANDBOX, Stage, veth } from './kernel-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = new Stage();
  await stage.ensure([bridge, veth]);
});
afterEach(() => stage.close());

const inSandbox = (address: string, link = 'eth0'): AddressResource => ({
  kind: 'address',
  place: PLACE,
  link,
  address,
});
const onHost = (address: string): AddressResource => ({ kind: 'address', place: 'host', link: BRIDGE, address });

async function addresses(link: string, sandbox = true): Promise<string> {
  const where = sandbox ? ['-n', stage.sandbox.name] : [];
  return must('ip', [...where, '-o', 'address', 'show', 'dev', link]);
}

describe('addresses', () => {
  test('are added on the host and in the sandbox, with the broadcast address that Docker sets', async () => {
    await stage.ensure([onHost('172.30.0.1/16'), inSandbox('172.30.0.2/16')]);
    expect(await addresses(BRIDGE, false)).toContain('inet 172.30.0.1/16 brd 172.30.255.255 scope global tsk0');
    expect(await addresses('eth0')).toContain('inet 172.30.0.2/16 brd 172.30.255.255 scope global eth0');
  });

  test('of point-to-point prefixes have no broadcast address', async () => {
    await stage.ensure([inSandbox('172.30.0.2/31'), inSandbox('172.31.0.2/32')]);
    expect(await addresses('eth0')).not.toContain('brd');
  });

  test('of IPv6 are usable at once, without duplicate address detection', async () => {
    await stage.ensure([inSandbox('fd00:0:0:1::2/64')]);
    expect(await addresses('eth0')).toMatch(/inet6 fd00:0:0:1::2\/64 scope global nodad/);
    expect(await addresses('eth0')).not.toMatch(/fd00:.*tentative/);
  });

  test('stay when they are ensured again', async () => {
    const plan = [onHost('172.30.0.1/16'), inSandbox('172.30.0.2/16'), inSandbox('fd00::2/64')];
    await stage.ensure(plan);
    const before = await addresses('eth0');
    await stage.ensure(plan);
    expect(await addresses('eth0')).toBe(before);
    expect(await stage.states(plan)).toEqual(['present', 'present', 'present']);
  });

  test('of another prefix length are wrong in words, and corrected for IPv6', async () => {
    await stage.ensure([inSandbox('172.30.0.2/24'), inSandbox('fd00::2/96')]);
    const plan = [inSandbox('172.30.0.2/16'), inSandbox('fd00::2/64'), inSandbox('172.30.0.3/16')];
    expect(await stage.states(plan)).toEqual([
      'eth0 has 172.30.0.2/24 instead of 172.30.0.2/16',
      'eth0 has fd00::2/96 instead of fd00::2/64',
      'missing',
    ]);
    await stage.ensure(plan);
    expect(await stage.states(plan)).toEqual(['present', 'present', 'present']);
    expect(await addresses('eth0')).not.toContain('fd00::2/96');
  });

  test('are removed, others stay, and removing them again succeeds', async () => {
    await stage.sandbox.must('ip', ['address', 'add', '10.9.9.9/24', 'dev', 'eth0']);
    const plan = [inSandbox('172.30.0.2/16'), inSandbox('fd00::2/64')];
    await stage.ensure(plan);
    await stage.remove(plan);
    await stage.remove(plan);
    expect(await stage.states(plan)).toEqual(['missing', 'missing']);
    expect(await addresses('eth0')).toContain('10.9.9.9/24');
  });

  test('on a link that is not there are an error that names it, missing, and nothing to remove', async () => {
    const nowhere = inSandbox('172.30.0.2/16', 'eth7');
    await expect(stage.ensure([nowhere])).rejects.toThrow(
      `cannot add address 172.30.0.2/16 to eth7 in ${stage.sandbox.path}: there is no such link`,
    );
    expect(await stage.states([nowhere])).toEqual(['missing']);
    await stage.remove([nowhere]);
  });

  test("refused by the kernel carry the kernel's own words", async () => {
    await stage.sandbox.must('sysctl', ['-qw', 'net.ipv6.conf.eth0.disable_ipv6=1']);
    await expect(stage.ensure([inSandbox('fd00::2/64')])).rejects.toMatchObject({
      code: 'KERNEL',
      message: expect.stringMatching(/IPv6 is disabled on this device/) as string,
    });
  });

  test('in a namespace that is gone are an error, missing, and nothing to remove', async () => {
    stage.namespaces.set(SANDBOX, { path: '/run/netns/never', device: 4, inode: 1 });
    await expect(stage.ensure([inSandbox('172.30.0.2/16')])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await stage.states([inSandbox('172.30.0.2/16')])).toEqual(['missing']);
    await stage.remove([inSandbox('172.30.0.2/16')]);
  });
});

describe('links that must be up', () => {
  const up = (link: string) => ({ kind: 'link-up', place: PLACE, link }) as const;

  test('are brought up, are observed, and stay up when the plan is removed', async () => {
    await stage.sandbox.must('ip', ['link', 'set', 'lo', 'down']);
    expect(await stage.states([up('lo'), up('nope')])).toEqual(['lo is down', 'missing']);
    await stage.ensure([up('lo')]);
    await stage.ensure([up('lo')]);
    await stage.remove([up('lo')]);
    expect(await stage.states([up('lo')])).toEqual(['present']);
  });

  test('that are not there are an error that names them', async () => {
    await expect(stage.ensure([up('nope')])).rejects.toThrow(/cannot bring up nope/);
  });
});
