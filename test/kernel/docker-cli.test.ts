/** Docker's own command line, as Debian ships it, on the daemon's socket: nothing in it knows that there is no dockerd. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, run, until, type Host, type Outcome } from '../support/lab.ts';
import { ask, askJson } from '../support/raw-http.ts';

const CLIS = [
  { name: 'docker CLI 20.10', file: '/usr/bin/docker' },
  { name: 'docker CLI 26.1', file: path.resolve(import.meta.dirname, '../../.tools/docker') },
];

let lab: Lab;
let host: Host;

beforeEach(async () => {
  lab = new Lab();
  host = lab.host();
  await host.startDaemon();
});
afterEach(() => {
  lab.close();
});

/** `make kernel-test` fetches the newer one. */
describe.for(CLIS.filter(({ file }) => existsSync(file)))('$name', ({ file }) => {
  const docker = (...args: string[]): Promise<Outcome> =>
    run(file, ['-H', `unix://${host.socket}`, ...args], { env: { DOCKER_CONFIG: host.dir } });
  const must = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await docker(...args);
    if (status !== 0) throw new Error(`docker ${args.join(' ')}: status ${String(status)} ${stderr}`);
    return stdout.trim();
  };

  it('lists networks with its filters and formats', async () => {
    const id = await must('network', 'create', '--label', 'team=a', 'web');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const lines = (await must('network', 'ls')).split('\n');
    expect(lines[0]).toMatch(/^NETWORK ID +NAME +DRIVER +SCOPE$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(1).join())).toEqual([
      'bridge,bridge,local',
      'host,host,local',
      'none,null,local',
      'web,bridge,local',
    ]);
    const names = (...filters: string[]): Promise<string> =>
      must('network', 'ls', '--format', '{{.Name}}', ...filters.flatMap((each) => ['--filter', each]));
    expect(await names('type=custom')).toBe('web');
    expect(await names('label=team=a', 'driver=bridge')).toBe('web');
    expect(await names('label=team=b')).toBe('');
    expect(await names('driver=host', 'driver=null')).toBe('host\nnone');
    expect(await names('name=^we')).toBe('web');
    expect(await names(`id=${id.slice(0, 12)}`)).toBe('web');
    expect(await names('dangling=true')).toBe('web');
    expect(await names('scope=swarm')).toBe('');
    expect(await must('network', 'ls', '-q', '--no-trunc', '--filter', 'name=web')).toBe(id);
    const json: unknown = JSON.parse(await must('network', 'ls', '--format', '{{json .}}', '-f', 'name=web'));
    expect(json).toMatchObject({ ID: id.slice(0, 12), Name: 'web', Driver: 'bridge', Labels: 'team=a' });
    expect((await docker('network', 'ls', '--filter', 'nope=1')).stderr).toMatch(
      /^Error response from daemon: filter nope/,
    );
    expect(await must('network', 'rm', 'web')).toBe('web');
  });

  it('creates with every flag that is about one host, and inspects what came of it', async () => {
    await must(
      ...['network', 'create', '--driver', 'bridge', '--internal', '--attachable', '--ipv6', '--scope', 'local'],
      ...['--subnet', '10.20.0.0/16', '--ip-range', '10.20.5.0/24', '--gateway', '10.20.5.254'],
      ...['--aux-address', 'nas=10.20.5.5', '--subnet', 'fd20::/64', '--ipam-driver', 'default'],
      ...['-o', 'com.docker.network.driver.mtu=1400', '--label', 'a=b', 'a name/with:all #of %it'],
    );
    const [network] = JSON.parse(await must('network', 'inspect', 'a name/with:all #of %it')) as [
      { readonly IPAM: { readonly Config: unknown } },
    ];
    expect(network).toMatchObject({
      Name: 'a name/with:all #of %it',
      Scope: 'local',
      Driver: 'bridge',
      EnableIPv6: true,
      Internal: true,
      Attachable: true,
      Ingress: false,
      ConfigFrom: { Network: '' },
      Containers: {},
      Options: { 'com.docker.network.driver.mtu': '1400' },
      Labels: { a: 'b' },
    });
    expect(network.IPAM.Config).toEqual([
      {
        Subnet: '10.20.0.0/16',
        IPRange: '10.20.5.0/24',
        Gateway: '10.20.5.254',
        AuxiliaryAddresses: { nas: '10.20.5.5' },
      },
      { Subnet: 'fd20::/64', Gateway: 'fd20::1' },
    ]);
    expect(await must('network', 'inspect', '-f', '{{.Name}}', 'bridge', 'none')).toBe('bridge\nnone');
    expect(await must('network', 'rm', 'a name/with:all #of %it')).toBe('a name/with:all #of %it');
  });

  it('connects and disconnects containers of ours', async () => {
    const box = lab.namespace('box');
    const name = box.name;
    await must('network', 'create', '--subnet', '10.21.0.0/24', 'web');
    await must('network', 'create', 'db');
    expect(await must('network', 'connect', '--ip', '10.21.0.9', '--alias', 'www', 'web', `netns:${name}`)).toBe('');
    expect(await must('network', 'connect', 'db', name)).toBe('');
    expect(await box.must('ip', ['-o', '-4', 'address', 'show', 'eth0'])).toContain('10.21.0.9/24');
    const [container] = JSON.parse(await must('inspect', name)) as [Record<string, unknown>];
    expect(container).toMatchObject({
      Name: `/${name}`,
      State: { Status: 'running', Running: true },
      NetworkSettings: { Networks: { web: { IPAddress: '10.21.0.9', IPPrefixLen: 24, Gateway: '10.21.0.1' } } },
    });
    // The command line prints networks in no order.
    expect(await must('ps', '--format', '{{.Names}} {{.Networks}}')).toMatch(new RegExp(`^${name} (web,db|db,web)$`));
    expect(
      await must('network', 'inspect', '-f', '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}', 'web'),
    ).toBe(`${name} 10.21.0.9/24`);
    expect((await docker('network', 'rm', 'web')).stderr).toMatch(/has active endpoints: .*\([0-9a-f]{12}\)/);
    expect(await must('network', 'disconnect', 'web', name)).toBe('');
    expect(await must('network', 'disconnect', '--force', 'db', name)).toBe('');
    const pruned = (await must('network', 'prune', '--force')).split('\n');
    expect([pruned[0], ...pruned.slice(1).sort()]).toEqual(['Deleted Networks:', 'db', 'web']);
    expect(await must('network', 'prune', '--force')).toBe('');
  });

  it('is told what is wrong', async () => {
    const stderr = async (...args: string[]): Promise<string> => {
      const outcome = await docker(...args);
      expect(outcome.status).toBe(1);
      return outcome.stderr;
    };
    await must('network', 'create', 'web');
    expect(await stderr('network', 'create', 'web')).toMatch(/^Error response from daemon: .*a network of that name/);
    expect(await stderr('network', 'rm', 'bridge')).toMatch(/predefined network and cannot be removed/);
    expect(await stderr('network', 'inspect', 'nope')).toMatch(/nope/);
    expect(await stderr('network', 'connect', 'web', 'nope')).toBe(
      'Error response from daemon: No such container: nope\n',
    );
    expect(await stderr('network', 'connect', 'nope', 'nope')).toMatch(/network nope not found/);
    expect(await stderr('network', 'create', '--scope', 'swarm', 'x')).toMatch(/not a swarm manager/);
    expect(await stderr('network', 'create', '--driver', 'nope', 'x')).toMatch(/there is no driver "nope"/);
    await must('network', 'rm', 'web');
  });

  it('asks what it talks to', async () => {
    expect(await must('version', '--format', '{{.Server.APIVersion}} {{.Server.MinAPIVersion}}')).toBe('1.55 1.40');
    expect(await must('info', '--format', '{{json .Plugins.Network}}')).toBe(
      '["bridge","host","ipvlan","macvlan","null","overlay"]',
    );
  });

  it('follows events, those of other processes too', async () => {
    const since = `${Date.now() / 1000}`;
    await must('network', 'create', 'web');
    await must('network', 'rm', 'web');
    // The CLI cuts a duration down to whole seconds, so the end is given as a time.
    const end = `${Date.now() / 1000 + 1}`;
    const past = await must(
      'events',
      '--since',
      since,
      '--until',
      end,
      '--format',
      '{{.Action}} {{.Actor.Attributes.name}}',
    );
    expect(past.split('\n')).toEqual(['create web', 'destroy web']);

    const following = host.start(file, [
      '-H',
      `unix://${host.socket}`,
      'events',
      '--since',
      since,
      '-f',
      'event=create',
    ]);
    let seen = '';
    following.stdout?.on('data', (part: Buffer) => {
      seen += part.toString();
    });
    // A command that acts by itself: the daemon sees it at its next look.
    const alone = { env: { TSNET_HOST: 'unix:///nonexistent.sock' } };
    await host.mustTsnet(['create', 'theirs'], alone);
    await until(() => /network create [0-9a-f]{64} \(name=theirs, type=bridge\)\n/.test(seen), 15_000);
    expect(seen).toMatch(/network create [0-9a-f]{64} \(name=web, type=bridge\)\n/);
    expect(seen).not.toContain('destroy');
    following.kill();
    await host.mustTsnet(['rm', 'theirs'], alone);
  });
});

describe('the API', () => {
  const created = async (name: string): Promise<string> => {
    const { json } = await askJson(host.socket, { method: 'POST', path: '/networks/create', body: { Name: name } });
    return (json as { Id: string }).Id;
  };

  it('says with every answer what it is, and tells errors in a body of the exact type', async () => {
    for (const [path, status] of [
      ['/_ping', 200],
      ['/v1.41/networks', 200],
      ['/networks/nope', 404],
      ['/v1.39/networks', 400],
      ['/v1.56/networks', 400],
      ['/nope', 404],
      ['/v1.41/containers/create', 404],
      ['/networks/%zz', 400],
    ] as const) {
      const answer = await ask(host.socket, { path });
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.headers).toMatchObject({
        'api-version': '1.55',
        ostype: 'linux',
        'docker-experimental': 'false',
        swarm: 'inactive',
        server: expect.stringMatching(/^tsnet\/.* \(linux\)$/) as string,
      });
      if (status === 200) continue;
      expect(answer.headers['content-type']).toBe('application/json');
      expect(Object.keys(JSON.parse(answer.text) as object)).toEqual(['message']);
    }
    expect((await ask(host.socket, { path: '/v1.39/networks' })).text).toContain(
      'Minimum supported API version is 1.40',
    );
    expect((await ask(host.socket, { path: '/v1.56/networks' })).text).toContain(
      'Maximum supported API version is 1.55',
    );
    expect(await ask(host.socket, { method: 'HEAD', path: '/_ping' })).toMatchObject({ status: 200, text: '' });
  });

  it('answers with the statuses of dockerd', async () => {
    const box = lab.namespace('box');
    const status = async (method: string, path: string, body?: unknown): Promise<number> =>
      (await askJson(host.socket, { method, path, ...(body === undefined ? {} : { body }) })).status;
    const id = await created('web');
    expect(await status('POST', '/v1.41/networks/create', { Name: 'web', CheckDuplicate: true })).toBe(409);
    expect(await status('POST', '/networks/create', { Name: 'host' })).toBe(403);
    expect(await status('POST', '/networks/create', { Name: ' ' })).toBe(400);
    expect(await status('POST', '/networks/create', { Name: 'x', Driver: 'nope' })).toBe(404);
    expect(await status('POST', '/networks/create', { Name: 'x', EnableIPv4: false })).toBe(400);
    const overlapping = { Name: 'x', IPAM: { Config: [{ Subnet: '172.17.0.0/24' }] } };
    expect(await status('POST', '/networks/create', overlapping)).toBe(403);
    const connect = { Container: `netns:${box.name}`, EndpointConfig: { Aliases: ['www'], Links: null } };
    expect(await status('POST', `/networks/${id.slice(0, 12)}/connect`, connect)).toBe(200);
    expect(await status('POST', '/networks/web/connect', connect)).toBe(403);
    expect(await status('DELETE', '/networks/web')).toBe(403);
    expect(await status('POST', '/networks/host/connect', connect)).toBe(400);
    expect(await status('POST', '/networks/web/connect', { Container: 'nope' })).toBe(404);
    expect(await status('POST', '/networks/nope/connect', connect)).toBe(404);
    expect(await status('POST', '/networks/web/disconnect', { Container: box.name, Force: false })).toBe(200);
    expect(await status('GET', '/networks/web?scope=swarm')).toBe(404);
    expect(await status('GET', '/networks/web?verbose=perhaps')).toBe(400);
    expect(await status('DELETE', '/networks/web')).toBe(204);
    expect(await status('DELETE', '/networks/web')).toBe(404);
    expect(await status('POST', '/networks/prune')).toBe(200);
  });

  it('shows each version what that version has', async () => {
    await created('web');
    const shown = async (version: string): Promise<Record<string, unknown>> =>
      (await askJson(host.socket, { path: `/v${version}/networks/web` })).json as Record<string, unknown>;
    expect(await shown('1.51')).not.toHaveProperty('Status');
    const subnet = '172.18.0.0/16';
    expect(await shown('1.52')).toHaveProperty('Status', {
      IPAM: { Subnets: { [subnet]: { IPsInUse: 3, DynamicIPsAvailable: 65_533 } } },
    });
  });

  it('counts for Prometheus', async () => {
    await created('web');
    await host.mustTsnet(['connect', 'web', `netns:${lab.namespace('box').name}`]);
    const { headers, text } = await ask(host.socket, { path: '/metrics' });
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect(text).toMatch(/^tsnet_networks 4$/m);
    expect(text).toMatch(/^tsnet_pool_free_addresses\{network="web",pool="172.18.0.0\/16"\} 65532$/m);
    expect(text).toMatch(/^tsnet_api_requests_total\{method="POST",route="\/networks\/create",status="201"\} \d+$/m);
    expect(text).toMatch(/^tsnet_attach_seconds_count\{operation="connect",outcome="ok"\} 1$/m);
  });

  it('describes itself', async () => {
    const { json } = await askJson(host.socket, { path: '/openapi.json' });
    const { paths } = json as { paths: Record<string, object> };
    for (const each of ['/networks', '/networks/{id}/connect', '/containers/{id}/json', '/events', '/tsnet/v1/diff']) {
      expect(Object.keys(paths)).toContain(each);
    }
    expect(Object.keys(paths).filter((each) => each.startsWith('/v1.'))).toEqual([]);
  });
});
