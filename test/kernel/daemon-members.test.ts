/** Who may use the daemon: root, and the members of the group that owns its socket. */
import { chownSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lab, TSNET, type Host, type Outcome } from '../support/lab.ts';

const GROUP = 4711;

let lab: Lab;
let host: Host;

beforeEach(async () => {
  lab = new Lab();
  host = lab.host();
  await host.startDaemon();
  // As it would be with a group `tsnet` in /etc/group.
  chownSync(host.socket, 0, GROUP);
  await host.must('chmod', ['-R', 'o+x', host.dir]);
});
afterEach(() => {
  lab.close();
});

function as(groups: readonly number[], args: readonly string[]): Promise<Outcome> {
  return host.run(
    'setpriv',
    [
      '--reuid=4242',
      '--regid=4242',
      groups.length > 0 ? `--groups=${groups.join()}` : '--clear-groups',
      process.execPath,
      TSNET,
      ...args,
    ],
    { env: host.env },
  );
}

it('a member of the group manages networks without being root', async () => {
  const box = lab.namespace('box');
  const must = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await as([GROUP], args);
    expect([args.join(' '), status, stderr]).toEqual([args.join(' '), 0, '']);
    return stdout.trim();
  };
  await must('create', '--subnet', '10.30.0.0/24', 'web');
  await must('connect', '-p', '8080:80', 'web', `netns:${box.name}`);
  expect(await must('ls', '--filter', 'type=custom', '--format', '{{.Name}}')).toBe('web');
  expect(await must('ps', '--format', '{{.Name}} {{.Networks}}')).toBe(`${box.name} web`);
  expect(await must('port', box.name)).toContain('80/tcp -> 0.0.0.0:8080');
  expect(await must('diff')).toBe('');
  expect(await must('events', '--since', '10m', '--until', '0s', '--format', '{{.Action}}')).toContain('connect');
  await must('disconnect', 'web', box.name);
  await must('rm', 'web');
});

it.each([
  ['run', '--', 'true'],
  ['exec', 'box', 'true'],
  ['stop', 'box'],
])('enters no namespace for a member: %s says that it needs root', async (...args) => {
  await host.mustTsnet(['run', '-d', '--name', 'box', '--', 'sleep', '1000']);
  const { status, stderr } = await as([GROUP], args);
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/^tsnet: \S+.*be root[^\n]*\n$/);
  // Nothing half-made, and nothing half-ended.
  expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Status}}'])).toMatch(/^box Up [^\n]*$/);
  await host.mustTsnet(['stop', '-t', '0', 'box']);
});

it('everybody else gets one line', async () => {
  const { status, stderr } = await as([], ['ls']);
  expect(status).toBe(1);
  expect(stderr).toBe(
    `tsnet: ask the daemon at ${host.socket}: permission denied; be root, or a member of the group that owns the socket\n`,
  );
});
