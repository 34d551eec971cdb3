/** What becomes of an error on its way out: a status of Docker's classes, and a body that tells it. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { errorBody, type ErrorBody } from '../../api/error-body.ts';
import { ERROR_STATUS, TsnetError } from '../../model/error.ts';
import type { Log } from '../log.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
}

export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof TsnetError) return { status: ERROR_STATUS[error.code].http, body: errorBody(error) };
  const refused = refusal(error);
  if (refused !== undefined) return refused;
  return { status: 500, body: errorBody(error) };
}

/** What fastify refuses before a handler sees it: too large, not JSON, not of the schema. */
function refusal(error: unknown): ErrorAnswer | undefined {
  if (!(error instanceof Error)) return undefined;
  const { statusCode, validation } = error as FastifyError;
  if (validation !== undefined)
    return { status: 400, body: { message: `invalid request: ${error.message}`, code: 'INVALID' } };
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return undefined;
  return { status: statusCode, body: { message: error.message, code: 'INVALID' } };
}

/** Docker's clients print a body as it is unless its type is exactly this. */
export const JSON_TYPE = 'application/json';

export function answerErrors(log: Log) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { status, body } = errorAnswer(error);
    if (status >= 500) log.error({ method: request.method, url: request.url, status, error }, body.message);
    await reply.code(status).type(JSON_TYPE).send(JSON.stringify(body));
  };
}
