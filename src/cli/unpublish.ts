/** `tsnet unpublish`: withdraws published ports; flows that used them end. */
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun } from './options.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .argument('<network>', 'name or id of the network')
      .argument('<container>', 'as for connect')
      .argument('<ports...>', 'as they were published, [IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]'),
  ).action(async (network: string, container: string, ports: string[], options: ChangeOptions) => {
    const engine = await context.engine();
    const answer = await engine.unpublish({ network, container, ports, ...rehearsal(options) });
    printChange(context, { answer, options, direction: 'remove' });
  });
};
