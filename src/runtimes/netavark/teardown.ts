/**
 * `teardown`: a container leaves networks. From the ledger alone: its namespace may be gone, and so may all else that podman
 * knew of it. Each step is tried whatever became of the others.
 */
import type { Engine } from '../../engine/engine.ts';
import { familyOf } from '../../model/address.ts';
import type { Endpoint } from '../../model/records.ts';
import type { ContainerRequest } from './container-request.ts';
import { severalErrors } from './error-answer.ts';
import { forgetNames } from './names.ts';
import { JOINS } from './network-plan.ts';
import { findOurs, removeUnused } from './our-networks.ts';
import { portsByNetwork, type Publisher } from './published-ports.ts';
import type { Session } from './session.ts';

export async function teardown(session: Session, container: ContainerRequest): Promise<void> {
  const { engine } = session;
  const errors: unknown[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
  };
  const networks = container.attachments.map(({ network }) => network);
  await attempt(() => forgetNames(session, container, networks));
  const detached: Endpoint[] = [];
  for (const network of networks) {
    const joined = network.options[JOINS] ?? network.labels[JOINS];
    await attempt(async () => {
      const reference = joined ?? (await findOurs(engine, network.id))?.id;
      if (reference === undefined) return;
      const answer = await engine.detachContainer({
        container: { runtime: 'podman', id: container.id },
        network: reference,
      });
      detached.push(...answer.detached);
    });
  }
  await attempt(() => handOver(engine, container, detached));
  for (const { id } of networks) await attempt(() => removeUnused(engine, id));
  if (errors.length > 0) throw severalErrors(errors);
}

/** A container that stays on other networks (`podman network disconnect`) keeps its ports: the next network publishes them. */
async function handOver(engine: Engine, container: ContainerRequest, detached: readonly Endpoint[]): Promise<void> {
  if (detached.every(({ ports }) => ports.length === 0)) return;
  const view = await engine.findContainer({ runtime: 'podman', id: container.id });
  if (view?.alive !== true || view.endpoints.length === 0) return;
  const networks = await engine.listNetworks();
  const publishers = view.endpoints
    .toSorted((a, b) => a.ordinal - b.ordinal)
    .flatMap((endpoint): Publisher[] => {
      const network = networks.find(({ id }) => id === endpoint.networkId);
      if (network?.driver !== 'bridge' || network.internal) return [];
      return [{ network: network.id, families: endpoint.addresses.map(({ address }) => familyOf(address)) }];
    });
  const kept = view.endpoints.flatMap(({ ports }) => ports);
  for (const [network, ports] of portsByNetwork(container.ports, publishers, kept)) {
    await engine.publish({ network, container: view.sandbox.id, ports });
  }
}
