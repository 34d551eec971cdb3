/** Published ports of Docker's endpoints: Docker says all of an endpoint's at once. */
import { TsnetError } from '../../model/error.ts';
import { shortId } from '../../model/ids.ts';
import type { Endpoint } from '../../model/records.ts';
import { driverOf, type EngineContext } from '../context.ts';
import { requireDockerNetwork } from './docker-networks.ts';
import { withSpace } from '../gc.ts';
import { publish } from '../publish.ts';
import { recover } from '../recover.ts';
import { withdraw } from '../withdraw.ts';

/**
 * Publishes these ports, as `publish` takes them, and no others. Why they are not, where the network publishes none: Docker does not
 * ask whether it does.
 */
export async function publishDockerPorts(
  context: EngineContext,
  {
    networkId,
    endpointId,
    ports,
  }: { readonly networkId: string; readonly endpointId: string; readonly ports: readonly string[] },
): Promise<string | undefined> {
  await withdrawDockerPorts(context, endpointId);
  if (ports.length === 0) return undefined;
  const network = requireDockerNetwork(context, networkId, `publish ${ports.join(', ')} for Docker`);
  const { refusesPorts } = driverOf(context, network).endpointDefaults(network);
  if (refusesPorts !== undefined) return refusesPorts;
  const endpoint = context.ledger.read((view) => view.endpoint(endpointId));
  if (endpoint === undefined)
    throw new TsnetError('NOT_FOUND', `publish ${ports.join(', ')} for Docker: the endpoint is gone`);
  await withSpace(context, () => publish(context, { network: network.id, container: endpoint.sandboxId, ports }));
  return undefined;
}

/** Withdraws all ports of an endpoint; of one that is gone there are none. */
export async function withdrawDockerPorts(context: EngineContext, endpointId: string): Promise<void> {
  await recover(context);
  const { ledger, lock, self } = context;
  await lock.shared(async () => {
    const endpoint = ledger.change((change) => {
      const current = change.endpoint(endpointId);
      if (current === undefined || current.ports.length === 0) return undefined;
      if (current.state !== 'attached') {
        throw new TsnetError(
          'CONFLICT',
          `withdraw ports for Docker: endpoint ${shortId(endpointId)} is being changed; try again`,
        );
      }
      const leaving: Endpoint = { ...current, changingPorts: current.ports, state: 'unpublishing', owner: self };
      change.putEndpoint(leaving);
      return leaving;
    });
    if (endpoint !== undefined) await withdraw(context, endpoint, endpoint.ports);
  });
}
