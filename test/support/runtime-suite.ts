/** What `tsnet connect NETWORK RUNTIME:NAME` promises for containers of a real runtime, whichever it is. */
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPrograms, skipReason } from './missing-programs.ts';
import { Lab, must, run, until, type Host, type Outcome } from './lab.ts';

export interface Runtime {
  readonly name: 'docker' | 'podman';
  /** Programs that must be installed. */
  readonly needs: readonly string[];
  /** Brings the runtime up inside the host's network namespace; answers the environment that its command and tsnet need. */
  readonly start: (host: Host) => Promise<Readonly<Record<string, string>>>;
  /** More arguments of `run`. */
  readonly runArguments?: readonly string[];
  readonly stop: () => Promise<void>;
}

const IMAGE = 'tsnet-test';
const APPLETS = ['sh', 'ip', 'ping', 'sleep', 'httpd', 'nc', 'cat', 'mkdir'];

/** Defines the tests, or skips them with the reason when the runtime is not installed. */
export function describeRuntime(runtime: Runtime): void {
  const missing = missingPrograms([...runtime.needs, 'busybox']);
  const reason = skipReason(missing);
  describe.skipIf(missing.length > 0)(`containers of a real ${runtime.name}${reason}`, () => {
    containerTests(runtime);
  });
}

function containerTests(runtime: Runtime): void {
  const lab = new Lab();
  let host: Host;
  let env: Readonly<Record<string, string>>;

  const cli = (...args: readonly string[]): Promise<string> => host.must(runtime.name, args, { env });
  const tsnet = (...args: readonly string[]): Promise<Outcome> => host.tsnet(args, { env });
  const mustTsnet = (...args: readonly string[]): Promise<string> => host.mustTsnet(args, { env });
  const start = (name: string, network = 'none'): Promise<string> =>
    cli(
      'run',
      '-d',
      '--name',
      name,
      '--network',
      network,
      ...(runtime.runArguments ?? []),
      IMAGE,
      '/bin/sleep',
      '1000',
    );
  const reference = (name: string): string => `${runtime.name}:${name}`;

  async function addressOf(name: string): Promise<string> {
    const shown = await cli('exec', name, '/bin/ip', '-4', 'addr', 'show', 'dev', 'eth0');
    return /inet (\S+)\//.exec(shown)?.[1] ?? '';
  }

  beforeAll(async () => {
    host = lab.host();
    env = await runtime.start(host);
    const root = path.join(host.dir, 'image');
    mkdirSync(path.join(root, 'bin'), { recursive: true });
    await must('cp', [await must('sh', ['-c', 'command -v busybox']), path.join(root, 'bin/busybox')]);
    for (const applet of APPLETS) symlinkSync('busybox', path.join(root, 'bin', applet));
    await must('tar', ['-C', root, '-cf', path.join(host.dir, 'image.tar'), '.']);
    await cli('import', path.join(host.dir, 'image.tar'), IMAGE);
    await mustTsnet('create', '--subnet', '10.77.0.0/24', 'web');
    await start('c1');
    await start('c2');
  });

  afterAll(async () => {
    for (const name of ['c1', 'c2', 'c3'])
      await run('nsenter', [`--net=${host.path}`, runtime.name, 'rm', '-f', name], { env: { ...env } });
    await runtime.stop();
    lab.close();
  });

  it('get an interface, an address and a way out', async () => {
    await mustTsnet('connect', '--ip', '10.77.0.5', 'web', reference('c1'));
    expect(await addressOf('c1')).toBe('10.77.0.5');
    expect(await cli('exec', 'c1', '/bin/ip', 'route')).toContain('default via 10.77.0.1 dev eth0');
    await cli('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', '10.77.0.1');
    expect(await mustTsnet('ps', '--format', '{{.Name}} {{.Command}} {{.Networks}}')).toMatch(
      new RegExp(`^c1 "${runtime.name}:[0-9a-f]{12}" web$`),
    );
  });

  it('reach one another, and are reached by a published port', async () => {
    await mustTsnet('connect', '-p', '8080:80', 'web', reference('c2'));
    const address = await addressOf('c2');
    await cli('exec', 'c2', '/bin/sh', '-c', 'mkdir -p /www && echo hello >/www/index.html && httpd -h /www -p 80');
    // Not wget: the statically linked one of Debian 12 crashes.
    const fetch = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 "$1" "$2"`;
    const page = (where: string, port: string): Promise<string> =>
      cli('exec', 'c1', '/bin/sh', '-c', fetch, 'sh', where, port);
    await until(async () => (await page(address, '80').catch(() => '')).endsWith('hello'));
    expect(await page('10.77.0.1', '8080')).toMatch(/hello$/);
    expect(await host.must('sh', ['-c', fetch, 'sh', '127.0.0.1', '8080'])).toMatch(/hello$/);
  });

  it('run the host’s programs in their network with exec', async () => {
    expect(await mustTsnet('exec', 'c1', '--', 'ip', '-4', '-br', 'addr', 'show', 'eth0')).toContain('10.77.0.5/24');
  });

  it('are known by their name from then on', async () => {
    await mustTsnet('disconnect', 'web', 'c2');
    expect(
      (
        await run('nsenter', [`--net=${host.path}`, runtime.name, 'exec', 'c2', '/bin/ip', 'link', 'show', 'eth0'], {
          env: { ...env },
        })
      ).status,
    ).not.toBe(0);
    expect(await mustTsnet('ps', '--format', '{{.Name}}')).toBe('c1');
  });

  it('are found again after a restart, which gives them a new namespace', async () => {
    await cli('restart', '-t', '0', 'c1');
    await mustTsnet('connect', 'web', reference('c1'));
    expect(await addressOf('c1')).toMatch(/^10\.77\.0\./);
    expect(await mustTsnet('ps', '--format', '{{.Name}}')).toBe('c1');
  });

  it('are refused when they are not there, not running, or in the host’s network', async () => {
    const nobody = await tsnet('connect', 'web', reference('nobody'));
    expect(nobody).toMatchObject({ status: 1 });
    expect(nobody.stderr).toMatch(/^tsnet: .*nobody.*no such container/);
    await start('c3', 'host');
    const hostNetwork = await tsnet('connect', 'web', reference('c3'));
    expect(hostNetwork).toMatchObject({ status: 1 });
    expect(hostNetwork.stderr).toContain('shares the network of the host');
    await cli('stop', '-t', '0', 'c2');
    const stopped = await tsnet('connect', 'web', reference('c2'));
    expect(stopped).toMatchObject({ status: 1 });
    expect(stopped.stderr).toMatch(/not running.*start c2/);
  });
}
