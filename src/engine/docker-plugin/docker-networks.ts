/**
 * Which network Docker means. By its own id, which is ours too where Docker made the network; a network of a cluster is one for all
 * hosts, and every host's Docker has an id of its own for it (`DockerOwner.networkId`).
 */
import { TsnetError } from '../../model/error.ts';
import { shortId } from '../../model/ids.ts';
import type { LedgerView } from '../../model/ledger.ts';
import type { Network } from '../../model/records.ts';
import type { EngineContext } from '../context.ts';

export function dockerIdOf({ id, docker }: Network): string {
  return docker?.networkId ?? id;
}

/** The network that Docker has by this id. */
export function networkOfDocker(view: LedgerView, dockerId: string): Network | undefined {
  const own = view.network(dockerId);
  if (own?.docker !== undefined && dockerIdOf(own) === dockerId) return own;
  return view.networks().find(({ docker }) => docker?.networkId === dockerId);
}

/** @throws TsnetError NOT_FOUND */
export function requireDockerNetwork({ ledger }: EngineContext, dockerId: string, act: string): Network {
  const network = ledger.read((view) => networkOfDocker(view, dockerId));
  if (network?.state === 'active') return network;
  throw new TsnetError(
    'NOT_FOUND',
    `${act}: tsnet knows no network ${shortId(dockerId)}; \`docker network rm\` it and create it again`,
  );
}
