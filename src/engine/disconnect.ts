/** `tsnet disconnect`. */
import { TsnetError } from '../model/error.ts';
import type { EngineContext } from './context.ts';
import { detach, detachPlan } from './detach.ts';
import type { DisconnectRequest, EndpointChangeAnswer } from './engine.ts';
import { knownSandbox } from './known-sandbox.ts';
import { findNetwork, requireEndpoint } from './lookup.ts';
import { recover } from './recover.ts';
import { reason } from './undo.ts';

export async function disconnect(context: EngineContext, request: DisconnectRequest): Promise<EndpointChangeAnswer> {
  await recover(context);
  const network = context.ledger.read((view) => findNetwork(view, request.network));
  const sandbox = await knownSandbox(context, request.container);
  const { endpoint, plan } = context.ledger.read((view) => {
    const found = requireEndpoint(view, network, sandbox);
    return { endpoint: found, plan: detachPlan(context, view, found.id) };
  });
  if (endpoint.handOver !== undefined && request.force !== true) {
    throw new TsnetError(
      'FORBIDDEN',
      `disconnect ${sandbox.name} from ${network.name}: Docker has connected it and would not know; use \`docker network disconnect\`, or --force`,
    );
  }
  if (request.dryRun === true) return { endpoint, plan, warnings: [] };
  const overridden = await context.lock.shared(() =>
    detach(context, endpoint.id, request.force === undefined ? {} : { force: request.force }),
  );
  return { endpoint, plan, warnings: overridden.map(reason) };
}
