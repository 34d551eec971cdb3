/** Networks of a cluster in unmodified Dockers: host a and host c have a dockerd each, host b has none. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  container,
  entriesFor,
  openClusterStage,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
} from '../support/cluster-stage.ts';
import { DOCKER_NEEDS, DockerEngine, IMAGE } from '../support/docker-engine.ts';
import { Lab, until, type Outcome } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms(DOCKER_NEEDS);
const OVERLAY = ['-d', 'tsnet', '--ipam-driver', 'tsnet', '--subnet', '10.77.0.0/16', '-o', 'driver=overlay'];

describe.skipIf(missing.length > 0)(`a network of the cluster in Docker${skipReason(missing)}`, () => {
  const lab = new Lab();
  const dockers = new Map<number, DockerEngine>();
  let stage: ClusterStage;
  let [a, b, c]: ClusterHost[] = [];
  let [onA, onC]: DockerEngine[] = [];

  beforeAll(async () => {
    stage = await openClusterStage(lab, {
      hosts: 3,
      prepare: async (host, number) => {
        if (number === 2) return { config: { 'docker-plugin': false } };
        // A host has one /run/docker, and the hosts of a lab share their files.
        await host.hide('/run/docker');
        const docker = new DockerEngine(host, ['--live-restore']);
        dockers.set(number, docker);
        return { env: docker.env };
      },
    });
    [a, b, c] = stage.hosts;
    [onA, onC] = [...dockers.values()];
    for (const docker of dockers.values()) {
      await docker.start();
      await docker.importImage();
    }
    await until(() => [a, c].every((one) => one?.host.daemonLog().includes('serving Docker')), 10_000);
  }, 90_000);
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return;
    for (const { host, address } of stage.hosts) process.stderr.write(`${address}\n${host.daemonLog()}\n`);
  });
  afterAll(async () => {
    for (const docker of dockers.values()) {
      await docker.run('sh', '-c', 'docker rm -f $(docker ps -aq)').catch(() => undefined);
      await docker.stop();
      docker.endLeftovers();
    }
    await stage.close();
    lab.close();
  });

  it('is made by the first host and joined by the others, by the same command', async () => {
    console.log(await onA!.must('network', 'create', ...OVERLAY, '-o', 'name=ov', 'ov'));
    console.log(await onC!.must('network', 'create', ...OVERLAY, '-o', 'name=ov', 'ov'));
    console.log(await b!.tsnet('ls'));
    console.log(await c!.tsnet('ls'));
    await onA!.must('run', '-d', '--name', 'c1', '--network', 'ov', IMAGE, '/bin/sleep', '1000');
    console.log(await onA!.must('exec', 'c1', '/bin/ip', 'addr'));
    console.log(await b!.tsnet('inspect', 'ov'));
  });
});
