/** Podman without its service: `podman` the command, its state in the test's folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describeRuntime } from '../support/runtime-suite.ts';

describeRuntime({
  name: 'podman',
  needs: ['podman', 'conmon', 'runc'],
  // Podman asks for the highest limits there are, which a host without CAP_SYS_RESOURCE refuses.
  runArguments: ['--ulimit', 'nofile=256:256', '--ulimit', 'nproc=4096:4096', '--stop-timeout', '0'],
  start: (host) => {
    const dir = path.join(host.dir, 'podman');
    mkdirSync(dir);
    const [storage, containers] = [path.join(dir, 'storage.conf'), path.join(dir, 'containers.conf')];
    writeFileSync(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${dir}/lib"\nrunroot = "${dir}/run"\n`);
    writeFileSync(
      containers,
      `[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "${dir}/tmp"\n`,
    );
    return Promise.resolve({ CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: containers });
  },
  stop: () => Promise.resolve(),
});
