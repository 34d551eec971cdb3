/** `tsnet publish`: publishes ports of a container that is connected; prints where they are reached. */
import { formatPublishedPort } from '../model/port-mapping.ts';
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun } from './options.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .argument('<network>', 'name or id of the network')
      .argument('<container>', 'as for connect')
      .argument('<ports...>', '[IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]'),
  ).action(async (network: string, container: string, ports: string[], options: ChangeOptions) => {
    const engine = await context.engine();
    const answer = await engine.publish({ network, container, ports, ...rehearsal(options) });
    if (printChange(context, { answer, options, direction: 'make' })) return;
    context.write(answer.ports.map((port) => `${formatPublishedPort(port)}\n`).join(''));
  });
};
