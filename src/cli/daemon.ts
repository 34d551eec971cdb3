/** `tsnet daemon`: the long-lived process. It stays in the foreground; a service manager starts and stops it. */
import { Option } from 'commander';
import type { LogFormat } from '../daemon/log.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command
    .addOption(new Option('--log-format <format>', 'json or text').choices(['json', 'text']).default('json'))
    .action(async ({ logFormat }: { readonly logFormat: LogFormat }) => {
      const { runDaemon } = await import('../daemon/run-daemon.ts');
      await runDaemon({
        readConfig: async () => (await import('../config/load.ts')).loadConfig(context.configRequest()),
        logFormat,
        // A log is a stream of lines on standard error, as service managers and containers expect.
        writeLog: (text) => process.stderr.write(text),
        env: process.env,
      });
    });
};
