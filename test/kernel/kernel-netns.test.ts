import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { libc } from '../../src/kernel/libc.ts';
import { inNetns, openNetns } from '../../src/kernel/netns.ts';
import type { Plan } from '../../src/plan/resource.ts';
import { must, until } from '../support/lab.ts';
import { bridge, identify, PLACE, SANDBOX, Stage, veth } from './kernel-stage.ts';

let stage: Stage;
let directory: string;
beforeEach(() => {
  stage = new Stage();
  directory = mkdtempSync(path.join(tmpdir(), 'tsnet-netns-'));
});
afterEach(async () => {
  await must('sh', ['-c', `umount -l ${directory}/* 2>/dev/null || true`]);
  rmSync(directory, { recursive: true, force: true });
  await stage.close();
});

const own = (): string => readlinkSync('/proc/thread-self/ns/net');

describe('a namespace of ours', () => {
  test('is made at a path, empty but for lo, while we stay where we are', async () => {
    const before = own();
    const target = path.join(directory, 'deep', 'ns');
    const made = stage.kernel.createNetns(target);
    expect(own()).toBe(before);
    expect(made).toMatchObject(identify(target));
    expect(stage.kernel.netnsAt(target)).toEqual(made);
    expect((await stage.kernel.sandboxFacts(made)).links).toEqual(['lo']);
    await must('umount', [target]);
  });

  test('has a cookie that its successor at the same path does not have', () => {
    const target = path.join(directory, 'ns');
    const first = stage.kernel.createNetns(target);
    stage.kernel.removeNetns(target);
    const second = stage.kernel.createNetns(target);
    expect(first.cookie).toMatch(/^\d+$/);
    expect(second.cookie).not.toBe(first.cookie);
    expect(() => openNetns({ ...second, cookie: first.cookie ?? '' })).toThrow(/is not the one that was attached/);
  });

  test('is removed with its file, and removing it again succeeds', () => {
    const target = path.join(directory, 'ns');
    stage.kernel.createNetns(target);
    stage.kernel.removeNetns(target);
    expect(existsSync(target)).toBe(false);
    stage.kernel.removeNetns(target);
    expect(stage.kernel.netnsAt(target)).toBeUndefined();
  });

  test('is not made over a file that is there', () => {
    const target = path.join(directory, 'ns');
    writeFileSync(target, 'mine');
    expect(() => stage.kernel.createNetns(target)).toThrow(/cannot create the network namespace .*EEXIST/);
    expect(readFileSync(target, 'utf8')).toBe('mine');
  });
});

describe('the namespace at a path', () => {
  test('is told by device and inode, whether bound or below /proc', () => {
    expect(stage.kernel.netnsAt(stage.sandbox.path)).toMatchObject(identify(stage.sandbox.path));
    expect(stage.kernel.netnsAt('/proc/self/ns/net')).toMatchObject(identify('/proc/self/ns/net'));
  });

  test.each(['/nowhere', '/etc/hostname', '/etc/hostname/deeper', '/', '/proc/self/ns/mnt', '/proc/999999/ns/net'])(
    'is none at %s',
    (target) => {
      expect(stage.kernel.netnsAt(target)).toBeUndefined();
    },
  );
});

describe('a visit to a namespace', () => {
  test('happens inside and ends outside, also when it throws', () => {
    const before = own();
    const fd = openNetns(identify(stage.sandbox.path));
    expect(inNetns(fd, own)).toBe(`net:[${identify(stage.sandbox.path).inode}]`);
    expect(own()).toBe(before);
    expect(() =>
      inNetns(fd, () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(own()).toBe(before);
  });
});

test('a process that cannot come back from a namespace ends, rather than act on the wrong host', () => {
  const exit = vi.spyOn(process, 'exit').mockImplementation((status) => {
    throw new Error(`exit ${String(status)}`);
  });
  const wayBack = openSync('/proc/thread-self/ns/net', 'r');
  const before = new Set(readdirSync('/proc/self/fd'));
  const fd = openNetns(identify(stage.sandbox.path));
  try {
    expect(() => {
      inNetns(fd, () => {
        // Takes the way back away: the one new file that leads to the namespace we came from.
        const home = readdirSync('/proc/self/fd').find(
          (open) => !before.has(open) && Number(open) !== fd && existsSync(`/proc/self/fd/${open}`),
        );
        closeSync(Number(home));
      });
    }).toThrow();
    expect(exit).toHaveBeenCalledWith(1);
  } finally {
    libc().enterNetns(wayBack);
    closeSync(wayBack);
    closeSync(fd);
    exit.mockRestore();
  }
});

describe('who lives in a namespace', () => {
  test('is seen by its processes', async () => {
    const netns = identify(stage.sandbox.path);
    expect(stage.kernel.netnsInUse(netns)).toBe(false);
    const child = stage.sandbox.start('sleep', ['60']);
    await until(() => stage.kernel.netnsInUse(netns));
    child.kill('SIGKILL');
    await until(() => !stage.kernel.netnsInUse(netns));
  });

  test('a process is alive until it ends, a zombie is dead, another of the same pid is not it', async () => {
    const child = spawn('sleep', ['60']);
    const pid = child.pid ?? 0;
    const identity = await until(() => stage.kernel.processIdentity(pid));
    expect(stage.kernel.isAlive(identity)).toBe(true);
    expect(stage.kernel.isAlive({ ...identity, startTime: identity.startTime - 1 })).toBe(false);
    child.kill('SIGKILL');
    await until(() => !stage.kernel.isAlive(identity));
    expect(stage.kernel.processIdentity(0)).toBeUndefined();

    // A shell that never waits leaves its child a zombie.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const printed = await new Promise<string>((resolve) =>
      parent.stdout.once('data', (data) => {
        resolve(String(data));
      }),
    );
    const zombie = await until(() => {
      const stat = readFileSync(`/proc/${printed.trim()}/stat`, 'utf8');
      return stat.includes(') Z ') ? stage.kernel.processIdentity(Number(printed)) : undefined;
    });
    expect(stage.kernel.isAlive(zombie)).toBe(false);
    parent.kill('SIGKILL');
  });
});

test('two hundred attachments and detachments leave no descriptor open', async () => {
  const plan: Plan = [
    veth,
    { kind: 'address', place: PLACE, link: 'eth0', address: '172.30.0.2/16' },
    { kind: 'route', place: PLACE, family: 4, destination: '0.0.0.0/0', link: 'eth0', via: '172.30.0.1' },
    { kind: 'link-up', place: PLACE, link: 'lo' },
  ];
  await stage.ensure([bridge]);
  const round = async (): Promise<void> => {
    await stage.ensure(plan);
    await stage.observe(plan);
    await expect(stage.ensure([{ ...veth, host: 'tskother' }])).rejects.toThrow();
    await stage.remove(plan);
  };
  await round();
  const before = readdirSync('/proc/self/fd').length;
  for (let count = 0; count < 200; count++) await round();
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});

test('a look at a hundred sandboxes keeps few of them open', async () => {
  const ids = Array.from({ length: 100 }, (_, index) => `${SANDBOX}${index}`);
  for (const id of ids) stage.namespaces.set(id, stage.kernel.createNetns(path.join(directory, id)));
  const plan: Plan = ids.map((sandbox) => ({ kind: 'link-up', place: { sandbox }, link: 'lo' }));
  const before = readdirSync('/proc/self/fd').length;
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, readdirSync('/proc/self/fd').length)), 1);
  await stage.ensure(plan);
  expect(await stage.states(plan)).toEqual(ids.map(() => 'present'));
  clearInterval(watch);
  expect(most - before).toBeLessThan(160);
  for (const id of ids) stage.kernel.removeNetns(path.join(directory, id));
});
