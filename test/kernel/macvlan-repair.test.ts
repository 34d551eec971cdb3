import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, must, TSNET, until, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, plug, reaches, type Lan } from '../support/lan.ts';

let lab: Lab;
let lan: Lan;
let host: Host;
let box: Namespace;

const CREATE = ['create', '-d', 'macvlan', '--subnet', '192.168.22.0/24', '--gateway', '192.168.22.1'];
const OPTIONS = ['-o', 'parent=eth0', '-o', 'host_access=true', '-o', 'address_probe=false'];
const CONNECT = ['connect', '--ip', '192.168.22.200', 'lan'];

beforeEach(async () => {
  lab = new Lab();
  lan = await makeLan(lab, 1);
  [host] = lan.hosts as [Host];
  box = lab.namespace('box');
  await host.mustTsnet([...CREATE, ...OPTIONS, 'lan']);
});
afterEach(() => {
  lab.close();
});

async function shim(): Promise<string> {
  return /tsm-[0-9a-f]{11}/.exec(await host.must('ip', ['-o', 'link']))?.[0] ?? 'no shim';
}

async function works(): Promise<boolean> {
  return (await reaches(box, '192.168.22.1')) && (await reaches(host, '192.168.22.200'));
}

describe('diff and repair of a macvlan network', () => {
  const damage: [string, () => Promise<unknown>, RegExp][] = [
    ['the link', () => box.must('ip', ['link', 'delete', 'eth0']), /missing.*macvlan eth0/],
    ['its address', () => box.must('ip', ['address', 'flush', 'dev', 'eth0']), /missing.*192\.168\.22\.200/],
    ['its MAC', () => box.must('ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:01']), /wrong.*macvlan.*MAC/],
    ['its mode', () => box.must('ip', ['link', 'set', 'eth0', 'type', 'macvlan', 'mode', 'private']), /wrong.*mode/],
    ['its being up', () => box.must('ip', ['link', 'set', 'eth0', 'down']), /wrong.*eth0.*down/],
    ['the default route', () => box.must('ip', ['route', 'delete', 'default']), /missing.*route 0\.0\.0\.0\/0/],
    ['the shim', async () => host.must('ip', ['link', 'delete', await shim()]), /missing.*macvlan tsm-/],
    [
      'the way to the container',
      () => host.must('ip', ['route', 'delete', '192.168.22.200']),
      /missing.*route 192\.168\.22\.200\/32/,
    ],
    [
      "the container's MAC at the host",
      async () => host.must('ip', ['neighbour', 'delete', '192.168.22.200', 'dev', await shim()]),
      /missing.*neighbour 192\.168\.22\.200/,
    ],
    [
      "the shim's silence",
      async () => host.must('sysctl', ['-qw', `net.ipv4.conf.${await shim()}.arp_ignore=0`]),
      /wrong.*arp_ignore/,
    ],
  ];
  it.each(damage)('find and mend the loss of %s', async (_what, break_, named) => {
    await host.mustTsnet([...CONNECT, box.path]);
    await break_();
    const { status, stdout } = await host.tsnet(['diff']);
    expect({ status, named: named.test(stdout), stdout }).toMatchObject({ status: 2, named: true });
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await works()).toBe(true);
  });

  it('say that the parent is gone, and make all anew when it is back', async () => {
    await host.mustTsnet([...CONNECT, box.path]);
    await must('ip', ['-n', host.name, 'link', 'delete', 'eth0']);
    expect((await host.tsnet(['diff'])).stdout).toMatch(/missing.*macvlan eth0 in sandbox/);
    const { status, stdout, stderr } = await host.tsnet(['repair']);
    expect(status).not.toBe(0);
    expect(stdout + stderr).toContain('there is no link eth0 on the host');
    await plug(lab, host, lan.router, 0);
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await works()).toBe(true);
  });

  it('let a container go whose parent is gone', async () => {
    await host.mustTsnet([...CONNECT, box.path]);
    await must('ip', ['-n', host.name, 'link', 'delete', 'eth0']);
    await host.mustTsnet(['disconnect', 'lan', box.path]);
    await host.mustTsnet(['rm', 'lan']);
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('sweep a shim that belongs to nothing', async () => {
    const stray = ['link', 'add', 'link', 'eth0', 'name', 'tsm-stray', 'type', 'macvlan', 'mode', 'bridge'];
    await host.must('ip', stray);
    await host.must('ip', ['link', 'set', 'tsm-stray', 'alias', 'tsnet:feedfeed']);
    expect((await host.tsnet(['diff'])).stdout).toMatch(/orphaned.*tsm-stray/);
    expect(await host.mustTsnet(['gc', '--dry-run'])).toContain('tsm-stray');
    await host.mustTsnet(['gc']);
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('tsm-stray');
    expect(await shim()).not.toBe('no shim');
  });

  it('let go of the way to a container whose namespace is gone', async () => {
    await host.mustTsnet([...CONNECT, box.path]);
    box.close();
    await until(async () => (await host.tsnet(['diff'])).stdout.includes(box.name));
    await host.mustTsnet(['gc']);
    expect(await host.must('ip', ['route'])).not.toContain('192.168.22.200');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it("leave somebody else's link of the name alone", async () => {
    await must('ip', ['-n', box.name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth9']);
    const { stderr } = await host.tsnet(['connect', '--interface', 'eth0', 'lan', box.path]);
    expect(stderr).toContain('it has an interface eth0 already');
    await host.mustTsnet(['connect', 'lan', box.path]);
    expect(await box.must('ip', ['-o', 'link'])).toContain('eth1');
  });
});

/** Runs tsnet with SIGKILL at its n-th deed of a kind; true if it was cut. */
function cutAt(args: readonly string[], deed: string, nth: number): Promise<boolean> {
  const inject = ['-f', '-qqq', '-o', '/dev/null', '-e', `trace=${deed}`, '-e'];
  const at = `inject=${deed}:signal=SIGKILL:when=${String(nth)}`;
  return new Promise((resolve) => {
    const child = spawn('nsenter', [`--net=${host.path}`, 'strace', ...inject, at, process.execPath, TSNET, ...args], {
      env: { ...process.env, ...host.env },
      stdio: 'ignore',
    });
    child.on('exit', (code, signal) => {
      resolve(signal !== null || code === 137);
    });
  });
}

describe('kill -9 while a container comes and goes', () => {
  it('leaves nothing that gc does not undo or finish', async () => {
    const clean = await host.must('ip', ['route']);
    for (let nth = 1; nth < 40; nth += 1) {
      const wasCut = await cutAt([...CONNECT, box.path], 'sendmsg', nth);
      await host.mustTsnet(['gc']);
      expect({ nth, drift: await host.mustTsnet(['diff']) }).toEqual({ nth, drift: '' });
      if (!wasCut) {
        expect(nth).toBeGreaterThan(5);
        expect(await works()).toBe(true);
        return;
      }
      // Cut before it was told to be there: undone. Cut after: there.
      const attached = (await host.mustTsnet(['ps', '-q'])) !== '';
      expect({ nth, link: (await box.must('ip', ['-o', 'link'])).includes('eth0') }).toEqual({ nth, link: attached });
      if (attached) await host.mustTsnet(['disconnect', 'lan', box.path]);
      expect(await host.must('ip', ['route'])).toBe(clean);
    }
    throw new Error('connect never came to its end');
  });

  it('finishes a disconnect', async () => {
    for (const nth of [2, 3, 4, 5]) {
      await host.mustTsnet([...CONNECT, box.path]);
      await cutAt(['disconnect', 'lan', box.path], 'sendmsg', nth);
      await host.mustTsnet(['gc']);
      expect(await host.mustTsnet(['diff'])).toBe('');
      if ((await host.mustTsnet(['ps', '-q'])) !== '') await host.mustTsnet(['disconnect', 'lan', box.path]);
      expect(await box.must('ip', ['-o', 'link'])).not.toContain('eth0');
      expect(await host.must('ip', ['route'])).not.toContain('192.168.22.200');
    }
  });
});
