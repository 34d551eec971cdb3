/**
 * Addresses for Docker's IPAM on a network of the cluster: claimed in the store first, then on record here. No endpoint has them yet, and
 * Docker does not say which will; when it does, they are the endpoint's in both places (`reserve-endpoint.ts`).
 */
import { familyOf, parsePrefix } from '../../model/address.ts';
import type { DockerPool, Network } from '../../model/records.ts';
import { claimed, DOCKER_HOLDER } from '../cluster-addresses.ts';
import { requiredCluster, type ClaimRequest } from '../cluster.ts';
import type { EngineContext } from '../context.ts';
import { realize } from '../realize.ts';
import { askedAddress, refuseHeld } from './asked-address.ts';

interface Wish {
  readonly pool: DockerPool;
  readonly network: Network;
  /** Undefined: any. */
  readonly asked: string | undefined;
}

/** "10.77.0.5/16", held for Docker. */
export async function holdInCluster(context: EngineContext, { pool, network, asked }: Wish): Promise<string> {
  const { ledger } = context;
  const cluster = requiredCluster(context, `give Docker an address of network ${network.name}`);
  const family = familyOf(pool.subnet);
  const wanted = asked === undefined ? undefined : askedAddress(pool, asked);
  if (wanted !== undefined) {
    ledger.read((view) => {
      refuseHeld(view, { pool, holder: network.id, address: wanted });
    });
  }
  // The way to the others has to be there before they can be put on it.
  await realize(context, [network]);
  const claim: ClaimRequest = {
    network,
    sandboxId: DOCKER_HOLDER,
    sandboxName: 'a container of Docker',
    names: [],
    families: [family],
    ...(wanted === undefined ? {} : { [family === 4 ? 'ip' : 'ip6']: wanted }),
  };
  const { ip, ip6 } = await claimed(claim, cluster.claim(claim));
  const address = ip ?? ip6 ?? '';
  try {
    ledger.change((change) => {
      change.holdAddress(network.id, address, { kind: 'docker' }, 'static');
    });
  } catch (error) {
    await cluster.release(network, DOCKER_HOLDER, [address]);
    throw error;
  } finally {
    cluster.settle(network, [address]);
  }
  return `${address}/${parsePrefix(pool.subnet).length}`;
}
