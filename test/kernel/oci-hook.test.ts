/** runc and crun with `tsnet oci-hook`, by itself and with a daemon. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab, must, run, type Host, type Outcome } from '../support/lab.ts';
import { reaches } from '../support/lan.ts';
import { openPodman, PODMAN_PROGRAMS } from '../support/podman.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

interface HookFile {
  readonly hook: { readonly path: string; readonly args: readonly string[]; readonly env: readonly string[] };
  readonly when: unknown;
  readonly stages: readonly string[];
}

const MODES = [
  ['runc', 'embedded'],
  ['crun', 'embedded'],
  ['runc', 'daemon'],
] as const;

const missing = missingPrograms(['runc', 'crun', 'busybox']);
const reason = skipReason(missing);

describe.skipIf(missing.length > 0).each(MODES)(`the hook of %s, %s${reason}`, (runtime, mode) => {
  const lab = new Lab();
  /** What is the runtime's and the same with a daemon. */
  const alone = it.skipIf(mode === 'daemon');
  let host: Host;
  let hook: HookFile;

  /** A bundle whose container sleeps, with these annotations; the hook for its stages, and one more for createRuntime. */
  async function bundle(
    annotations: Readonly<Record<string, string>>,
    how: { readonly stage?: string; readonly then?: string } = {},
  ): Promise<string> {
    const dir = path.join(host.dir, `bundle-${String(Math.random()).slice(2)}`);
    mkdirSync(dir);
    await must('runc', ['spec', '--bundle', dir]);
    const file = path.join(dir, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>>;
    const entry = { path: hook.hook.path, args: hook.hook.args, env: hook.hook.env };
    const then = how.then === undefined ? [] : [{ path: how.then, args: [how.then] }];
    writeFileSync(
      file,
      JSON.stringify({
        ...config,
        process: { ...config['process'], args: ['/bin/sleep', '1000'], terminal: false, rlimits: [] },
        root: { path: path.join(host.dir, 'rootfs') },
        mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
        linux: { namespaces: ['pid', 'network', 'mount', 'uts', 'ipc'].map((type) => ({ type })) },
        annotations,
        hooks: { [how.stage ?? 'createRuntime']: [entry, ...then], poststop: [entry] },
      }),
    );
    return dir;
  }

  const oci = (...args: readonly string[]): Promise<Outcome> =>
    // Of what the runtime leaves open nobody is to wait for the end.
    host.run('sh', [
      '-c',
      `"$@" </dev/null >${host.dir}/out 2>&1`,
      'sh',
      runtime,
      '--root',
      `${host.dir}/oci`,
      ...args,
    ]);
  const said = (): string => readFileSync(path.join(host.dir, 'out'), 'utf8');
  const containers = (): Promise<string> => host.mustTsnet(['ps', '--format', '{{.Name}} {{.Command}} {{.Networks}}']);

  beforeAll(async () => {
    // crun takes a hybrid hierarchy for version 2 otherwise; this mount namespace is the tests' own.
    await run('umount', ['/sys/fs/cgroup/unified']);
    host = lab.host();
    if (mode === 'daemon') await host.startDaemon();
    const bin = path.join(host.dir, 'rootfs/bin');
    mkdirSync(bin, { recursive: true });
    for (const folder of ['proc', 'dev']) mkdirSync(path.join(host.dir, 'rootfs', folder));
    await must('cp', [await must('sh', ['-c', 'command -v busybox']), `${bin}/busybox`]);
    for (const applet of ['sleep', 'ip', 'ping']) symlinkSync('busybox', `${bin}/${applet}`);
    const installed = await host.mustTsnet(['oci-hook', 'install', '--dir', path.join(host.dir, 'hooks.d')]);
    const [file = ''] = installed.split(': ');
    hook = JSON.parse(readFileSync(file, 'utf8')) as HookFile;
    await host.mustTsnet(['create', '--subnet', '10.94.0.0/24', 'web']);
    await host.mustTsnet(['create', '--subnet', '10.95.0.0/24', 'db']);
  });

  afterAll(async () => {
    for (const id of ['c1', 'c2']) await oci('delete', '-f', id);
    lab.close();
  });

  it('attaches the networks that annotations name, and lets go of them by the ledger alone', async () => {
    const annotations = {
      'tsnet.networks': 'web,db',
      'tsnet.publish': '8080:80',
      'tsnet.ip': '10.94.0.9,db=10.95.0.9',
      'tsnet.aliases': 'www',
      'tsnet.name': 'box',
    };
    expect(await oci('run', '-d', '-b', await bundle(annotations), 'c1')).toMatchObject({ status: 0 });
    expect(await containers()).toBe('box "oci:c1" web,db');
    for (const address of ['10.94.0.9', '10.95.0.9']) expect(await reaches(host, address)).toBe(true);
    expect(await host.mustTsnet(['port', 'box', '80'])).toBe('0.0.0.0:8080');
    expect(await oci('delete', '-f', 'c1')).toMatchObject({ status: 0 });
    expect(await containers()).toBe('');
    expect((await host.tsnet(['diff'])).stdout).toBe('');
  });

  alone('is a prestart hook as well, and done is done', async () => {
    const dir = await bundle({ 'tsnet.networks': 'web' }, { stage: 'prestart' });
    expect(await oci('run', '-d', '-b', dir, 'c1')).toMatchObject({ status: 0 });
    expect(await containers()).toBe('c1 "oci:c1" web');
    await oci('delete', '-f', 'c1');
    expect(await containers()).toBe('');
  });

  it('ends a container whose wish cannot be met, and leaves nothing', async () => {
    const wishes: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{ 'tsnet.networks': 'web,nowhere' }, /network nowhere not found/],
      [{ 'tsnet.networks': 'web', 'tsnet.ip': '10.95.0.9' }, /10\.95\.0\.9/],
      [{ 'tsnet.network': 'web' }, /did you mean tsnet\.networks\?/],
    ];
    for (const [annotations, why] of wishes) {
      expect(await oci('run', '-d', '-b', await bundle(annotations), 'c2')).not.toMatchObject({ status: 0 });
      expect(said()).toContain('hook');
      // crun tells the status of a hook, not what it said.
      if (runtime === 'runc') expect(said()).toMatch(why);
      expect(await containers()).toBe('');
    }
    await oci('list', '-q');
    expect(said()).not.toContain('c2');
  });

  alone('leaves nothing when another hook ends the container', async () => {
    const dir = await bundle({ 'tsnet.networks': 'web,db' }, { then: '/bin/false' });
    expect(await oci('run', '-d', '-b', dir, 'c2')).not.toMatchObject({ status: 0 });
    // What runs no poststop hook then is collected by its namespace's end.
    await host.mustTsnet(['gc']);
    expect(await containers()).toBe('');
    expect((await host.tsnet(['diff'])).stdout).toBe('');
  });

  alone('leaves containers without annotations alone', async () => {
    expect(await oci('run', '-d', '-b', await bundle({ other: 'x' }), 'c1')).toMatchObject({ status: 0 });
    expect(await containers()).toBe('');
    await oci('delete', '-f', 'c1');
  });
});

const unable = missingPrograms(PODMAN_PROGRAMS);

describe.skipIf(unable.length > 0)('the hook of podman', () => {
  it('is called for containers with annotations, by the file that install writes', async () => {
    const lab = new Lab();
    const host = lab.host();
    const podman = await openPodman(host);
    try {
      const folder = path.join(host.dir, 'hooks.d');
      await host.mustTsnet(['oci-hook', 'install', '--dir', folder]);
      await host.mustTsnet(['create', '--subnet', '10.96.0.0/24', 'web']);
      const hooked = ['--hooks-dir', folder, 'run', '-d', '--stop-timeout', '0', '--network', 'none'];
      await podman.must(
        ...hooked,
        '--name',
        'c1',
        '--annotation',
        'tsnet.networks=web',
        'tsnet-test',
        '/bin/sleep',
        '1000',
      );
      expect(await podman.exec('c1', '/bin/ip', 'addr', 'show', 'eth0')).toContain('inet 10.96.0.');
      await podman.must('rm', '-f', '-t', '0', 'c1');
      expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    } finally {
      await podman.close();
      lab.close();
    }
  });
});
