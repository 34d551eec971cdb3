/** `tsnet connect`: one container, one network. */
import { TsnetError } from '../model/error.ts';
import { attach } from './attach.ts';
import { blockedWarnings } from './blocked.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { ConnectAnswer, ConnectRequest } from './engine.ts';
import { findEndpoint, findNetwork } from './lookup.ts';
import { recover } from './recover.ts';
import { withSpace } from './gc.ts';
import { targetSandbox } from './sandbox-target.ts';
import { warningsFor } from './warnings.ts';

export async function connect(context: EngineContext, request: ConnectRequest): Promise<ConnectAnswer> {
  await recover(context);
  const network = context.ledger.read((view) => findNetwork(view, request.network));
  const refusal = driverOf(context, network).refusesEndpoints;
  if (refusal !== undefined) {
    throw new TsnetError('INVALID', `connect ${request.container} to ${network.name}: ${refusal.reason}`);
  }
  const sandbox = await targetSandbox(context, request.container);
  if (context.ledger.read((view) => findEndpoint(view, network, sandbox)) !== undefined) {
    throw new TsnetError('FORBIDDEN', `connect ${sandbox.name} to ${network.name}: it is connected already`);
  }
  const attached = await withSpace(context, () =>
    attach(context, {
      sandbox,
      attachments: [{ network, options: request }],
      ...(request.dryRun === undefined ? {} : { dryRun: request.dryRun }),
    }),
  );
  const [endpoint] = attached.endpoints;
  if (endpoint === undefined) throw new TsnetError('INTERNAL', `connect ${sandbox.name}: no endpoint was made`);
  return {
    endpoint,
    sandbox: attached.sandbox,
    warnings: [
      ...warningsFor(attached.sandbox, network, attached.endpoints),
      ...(await blockedWarnings(context, [network])),
    ],
    plan: attached.plan,
  };
}
