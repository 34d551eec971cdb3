/**
 * The networks of ours behind podman's: found by podman's id, made for the first container, removed after the last.
 *
 * Podman expects a network's bridge to be there only while somebody uses it, and knows no call that would tell of the removal
 * of a network. So the record goes with the bridge; podman has its own, and brings it along with the next container.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Engine } from '../../engine/engine.ts';
import { TsnetError } from '../../model/error.ts';
import { shortId } from '../../model/ids.ts';
import type { Network } from '../../model/records.ts';
import { ID_LABEL, type NetworkPlan } from './network-plan.ts';

const PAUSE_MS = 10;
/** Bound of the wait for another process that makes or removes the same network. */
const WAIT_MS = 20_000;

export async function findOurs(engine: Engine, podmanId: string): Promise<Network | undefined> {
  return (await engine.listNetworks({ label: [`${ID_LABEL}=${podmanId}`] }))[0];
}

/** Id of the network that a plan means, and whether this call made it. @throws TsnetError */
export async function provide(
  engine: Engine,
  plan: NetworkPlan,
): Promise<{ readonly id: string; readonly isMade: boolean }> {
  if (plan.kind === 'existing') return { id: (await engine.inspectNetwork(plan.reference)).Id, isMade: false };
  const { podmanId } = plan;
  let { request } = plan;
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const ours = await findOurs(engine, podmanId);
    if (ours !== undefined) return { id: ours.id, isMade: false };
    try {
      return { id: (await engine.createNetwork(request)).id, isMade: true };
    } catch (error) {
      const isTaken = error instanceof TsnetError && error.code === 'CONFLICT';
      if (!isTaken || performance.now() > end) throw error;
      // Somebody's network has the name for good, or another podman is making this one or taking it down.
      if (await isForeign(engine, request.name, podmanId)) {
        request = { ...request, name: `${plan.request.name}-${shortId(podmanId)}` };
      } else await pause(PAUSE_MS);
    }
  }
}

async function isForeign(engine: Engine, name: string, podmanId: string): Promise<boolean> {
  const holder = (await engine.listNetworks()).find((network) => network.name === name);
  return holder !== undefined && holder.labels[ID_LABEL] !== podmanId;
}

/** Removes the network if it was made for podman and nobody is on it any more; somebody may join at this very moment, and keeps it. */
export async function removeUnused(engine: Engine, podmanId: string): Promise<void> {
  const [unused] = await engine.listNetworks({ label: [`${ID_LABEL}=${podmanId}`], dangling: ['true'] });
  if (unused === undefined) return;
  try {
    await engine.removeNetwork({ network: unused.id });
  } catch (error) {
    const isKept = error instanceof TsnetError && ['FORBIDDEN', 'NOT_FOUND', 'CONFLICT'].includes(error.code);
    if (!isKept) throw error;
  }
}
