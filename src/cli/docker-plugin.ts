/** `tsnet docker-plugin`: serves Docker as network and IPAM driver, in the foreground. The daemon does the same where Docker is. */
import { Option } from 'commander';
import type { LogFormat } from '../daemon/log.ts';
import type { DefineVerb } from './verbs.ts';

interface Options {
  readonly socket: string;
  readonly dockerHost?: string;
  readonly logFormat: LogFormat;
}

export const define: DefineVerb = (command, context) => {
  command
    .option(
      '--socket <path>',
      'where Docker finds the plugin; the name of the file is the name of the driver',
      '/run/docker/plugins/tsnet.sock',
    )
    .option('--docker-host <address>', "Docker's own API, unix://… (DOCKER_HOST; default unix:///var/run/docker.sock)")
    .addOption(new Option('--log-format <format>', 'json or text').choices(['json', 'text']).default('json'))
    .action(async ({ socket, dockerHost, logFormat }: Options) => {
      const { dockerSocket } = await import('../runtimes/references/docker.ts');
      const docker = dockerSocket(dockerHost === undefined ? context.env : { DOCKER_HOST: dockerHost });
      const { openLog } = await import('../daemon/log.ts');
      const log = openLog(logFormat, (text) => process.stderr.write(text));
      const { ownDockerPlugin } = await import('../wiring/own-docker-plugin.ts');
      const plugin = await ownDockerPlugin(await context.config(), { socket, dockerSocket: docker, log });
      log.info({ socket, docker }, 'ready');
      await new Promise<void>((resolve) => {
        const stop = (): void => {
          process.off('SIGTERM', stop).off('SIGINT', stop);
          resolve();
        };
        process.on('SIGTERM', stop).on('SIGINT', stop);
      });
      await plugin.close();
    });
};
