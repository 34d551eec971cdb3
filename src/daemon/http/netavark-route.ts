/** Calls of netavark, carried here as they came; what aardvark-dns is to be told goes back with the answer. */
import { existsSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Engine } from '../../engine/engine.ts';
import { uplink } from '../../kernel/uplink.ts';
import {
  NETAVARK_PATH_OF_DAEMON,
  type AardvarkNotice,
  type NetavarkCallAnswer,
} from '../../runtimes/netavark/daemon-call.ts';
import { notingAardvark } from '../../runtimes/netavark/noting-aardvark.ts';
import { runNetavark } from '../../runtimes/netavark/run-netavark.ts';
import { VERSION } from '../../wiring/version.ts';

const CALL = Type.Object(
  {
    argv: Type.Array(Type.String(), { description: 'The command line, behind the name of the program' }),
    programName: Type.String(),
    env: Type.Record(Type.String(), Type.String(), { description: 'The variables of the protocol, NETAVARK_…' }),
    input: Type.String({ description: 'What came on standard input' }),
  },
  { additionalProperties: false },
);

export function netavarkRoute(app: FastifyInstance, engine: () => Engine): void {
  app.post(
    NETAVARK_PATH_OF_DAEMON,
    {
      schema: {
        summary: 'Carry out a setup or a teardown of netavark',
        operationId: 'netavark',
        tags: ['tsnet'],
        body: CALL,
      },
    },
    async (request): Promise<NetavarkCallAnswer> => {
      const { argv, programName, env, input } = request.body as Static<typeof CALL>;
      const notices: AardvarkNotice[] = [];
      let [stdout, stderr] = ['', ''];
      const status = await runNetavark(argv, {
        env,
        programName,
        tsnetVersion: VERSION,
        // The caller has read whatever there is to be read: a daemon opens no files for others.
        read: () => Promise.resolve(input),
        write: (text) => (stdout += text),
        writeError: (text) => (stderr += text),
        exists: existsSync,
        openEngine: () => Promise.resolve({ engine: withoutEnd(engine()), isDaemon: true }),
        uplink: () => uplink(4) ?? uplink(6),
        openAardvark: (place) => notingAardvark(place, notices),
      });
      return { status, stdout, stderr, notices };
    },
  );
}

/** It outlives the call. */
function withoutEnd(engine: Engine): Engine {
  return { ...engine, close: () => Promise.resolve() };
}
