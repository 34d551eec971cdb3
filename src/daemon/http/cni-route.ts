/** Calls of the CNI plugin, carried here as they came: environment and input in, output and exit status out. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { CNI_PATH_OF_DAEMON, type CniCallAnswer } from '../../runtimes/cni/daemon-call.ts';
import { netnsAt } from '../../runtimes/cni/netns-at.ts';
import { runPlugin } from '../../runtimes/cni/run-plugin.ts';
import type { Engine } from '../../engine/engine.ts';

const CALL = Type.Object(
  {
    env: Type.Record(Type.String(), Type.String(), { description: 'The variables of the protocol, CNI_…' }),
    input: Type.String({ description: 'What came on standard input' }),
  },
  { additionalProperties: false },
);

export function cniRoute(app: FastifyInstance, engine: () => Engine): void {
  app.post(
    CNI_PATH_OF_DAEMON,
    { schema: { summary: 'Carry out a call of the CNI plugin', operationId: 'cni', tags: ['tsnet'], body: CALL } },
    async (request): Promise<CniCallAnswer> => {
      const { env, input } = request.body as Static<typeof CALL>;
      const lines: string[] = [];
      const outcome = await runPlugin({
        env,
        input,
        netnsAt,
        engine: () => Promise.resolve(engine()),
        // Whoever may ask the daemon need not be root: it runs no programs of theirs.
        log: (line) => lines.push(`${line}\n`),
      });
      return { ...outcome, stderr: lines.join('') };
    },
  );
}
