/** `docker-compose` brings whole projects up on tsnet networks, by an unmodified Docker. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_NEEDS, IMAGE } from '../support/docker-engine.ts';
import { DockerStage } from '../support/docker-stage.ts';
import { until } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms([...DOCKER_NEEDS, 'docker-compose']);

const PROJECT = `
version: '3.8'
services:
  web:
    image: ${IMAGE}
    command: /bin/sh -c 'mkdir -p /www && echo front >/www/index.html && exec httpd -f -h /www -p 80'
    stop_grace_period: 0s
    ports: ['8090:80']
    depends_on: [db]
  db:
    image: ${IMAGE}
    command: /bin/sleep 1000
    stop_grace_period: 0s
    networks:
      default: { aliases: [store] }
      back: { ipv4_address: 10.79.0.9 }
networks:
  default:
    driver: tsnet
    ipam: { driver: tsnet }
  back:
    driver: tsnet
    ipam: { driver: tsnet, config: [{ subnet: 10.79.0.0/24 }] }
    driver_opts: { com.docker.network.bridge.enable_icc: 'false' }
`;

describe.skipIf(missing.length > 0)(`a compose project on tsnet networks${skipReason(missing)}`, () => {
  let stage: DockerStage;
  let folder: string;
  const compose = (...args: readonly string[]): Promise<string> =>
    stage.host.must('docker-compose', ['--project-directory', folder, '-f', `${folder}/compose.yaml`, ...args], {
      env: { ...stage.docker.env, NODE_EXTRA_CA_CERTS: '' },
      timeoutMs: 60_000,
    });

  beforeAll(async () => {
    stage = await DockerStage.open();
    folder = path.join(stage.host.dir, 'shop');
    mkdirSync(folder);
    writeFileSync(`${folder}/compose.yaml`, PROJECT);
  });
  afterAll(() => stage.close());

  it('comes up: its services find one another by name and alias, and its port is open', async () => {
    await compose('up', '-d');
    await stage.answers(stage.outside, '192.168.50.1', 8090, 'front');
    await stage.answers(stage.host, '127.0.0.1', 8090, 'front');
    for (const name of ['db', 'store']) await compose('exec', '-T', 'web', '/bin/ping', '-c', '1', '-W', '2', name);
    await compose('exec', '-T', 'db', '/bin/ping', '-c', '1', '-W', '2', 'web');
    expect(await compose('exec', '-T', 'db', '/bin/ip', '-4', '-o', 'addr')).toContain('10.79.0.9/24');
  });

  it('is seen by tsnet under the names that compose has given', async () => {
    await until(async () => (await stage.names()).join() === 'shop_db_1,shop_web_1');
    expect((await stage.networks()).sort()).toEqual(['shop_back', 'shop_default']);
    expect(await stage.host.mustTsnet(['port', 'shop_web_1'])).toContain('80/tcp -> 0.0.0.0:8090');
    expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
  });

  it('gets a service anew with what has changed, on the same networks', async () => {
    writeFileSync(`${folder}/compose.yaml`, PROJECT.replace('8090:80', '8091:80'));
    await compose('up', '-d');
    await stage.answers(stage.outside, '192.168.50.1', 8091, 'front');
    expect(await stage.page(stage.outside, '192.168.50.1', 8090)).toBe('');
    await compose('exec', '-T', 'db', '/bin/ping', '-c', '1', '-W', '2', 'web');
    expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
  });

  it('leaves nothing when it goes down', async () => {
    await compose('down');
    expect(await stage.names()).toEqual(['']);
    expect(await stage.networks()).toEqual([]);
    expect(await stage.host.must('ip', ['-br', 'link'])).not.toMatch(/veth|tsif|br-/);
    expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
  });
});
