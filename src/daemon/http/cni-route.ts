/** Calls of the CNI plugin, carried here as they came: environment and input in, output and exit status out. */
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import {
  CALL_TYPE,
  CNI_PATH_OF_DAEMON,
  FAILED_STATUS,
  type CniCallAnswer,
  type CniCallRequest,
} from '../../runtimes/cni/daemon-call.ts';
import { netnsAt } from '../../runtimes/cni/netns-at.ts';
import { runPlugin } from '../../runtimes/cni/run-plugin.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Log } from '../log.ts';
import { JSON_TYPE } from './error-answer.ts';

const CALL = Type.Object(
  {
    env: Type.Record(Type.String(), Type.String(), { description: 'The variables of the protocol, CNI_…' }),
    input: Type.String({ description: 'What came on standard input' }),
  },
  { additionalProperties: false },
);

/** In a scope of its own: no other route takes a call that a shell sends. */
export function cniRoute(app: FastifyInstance, engine: () => Engine, log: Log): void {
  app.addContentTypeParser(CALL_TYPE, { parseAs: 'string' }, (_request, text, done) => {
    done(null, callIn(text as string));
  });
  app.post(
    CNI_PATH_OF_DAEMON,
    { schema: { summary: 'Carry out a call of the CNI plugin', operationId: 'cni', tags: ['tsnet'], body: CALL } },
    async (request, reply): Promise<CniCallAnswer | string> => {
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
      if (request.headers['content-type'] !== CALL_TYPE) return { ...outcome, stderr: lines.join('') };
      // There is no place for it in the answer.
      if (lines.length > 0) log.warn({ container: env['CNI_CONTAINERID'] ?? '' }, lines.join('').trim());
      return reply
        .code(outcome.status === 0 ? 200 : FAILED_STATUS)
        .type(JSON_TYPE)
        .send(outcome.stdout);
    },
  );
}

function callIn(text: string): CniCallRequest {
  const { input = '', ...env } = Object.fromEntries(new URLSearchParams(text));
  return { env, input };
}
