import { defineConfig } from 'vitest/config';

/**
 * With TSNET_MODE=daemon every command goes through a daemon. What these look at is a command that acts itself: it is killed in the
 * middle, or the files it reads at its start are changed under it; or it is tried both ways anyway.
 */
const ABOUT_COMMANDS_ALONE = [
  'cni',
  'cni-lists',
  'crash',
  'daemon-cli',
  'daemon-json',
  'drivers-of-others',
  'firewall-switch',
  'macvlan-repair',
  'repair',
  'runtime-containerd',
  'runtime-podman-cni',
].map((name) => `test/kernel/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // Properties are tried a hundred times and more; a busy machine may take its time.
          testTimeout: 30_000,
        },
      },
      {
        // Real namespaces, real packets. `make kernel-test` runs it inside `unshare --net --mount`, so that even a bug
        // cannot touch the machine's own network.
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          exclude: process.env['TSNET_MODE'] === 'daemon' ? ABOUT_COMMANDS_ALONE : [],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 90_000,
          globalSetup: ['test/support/isolation.ts'],
        },
      },
    ],
  },
});
