/** Permanent neighbours: the host and a container that know each other's MAC need not ask the LAN. */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { NeighbourResource, Place } from '../plan/resource.ts';
import { byPlace, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import { deleteNeighbour, getNeighbour, parseNeighbour, setNeighbour } from './neighbour-message.ts';
import type { Outcome } from './netlink-socket.ts';
import { observePlaces } from './observe-places.ts';
import type { Scene } from './scene.ts';
import { tryAll, type Step } from './steps.ts';

export const neighbourExecutor: Executor<'neighbour'> = {
  async ensure(resources, scene) {
    for (const [place, neighbours] of byPlace(resources)) {
      const indices = await linksOf(place, neighbours, scene);
      const steps = neighbours.map(({ link, address, mac }): Step => {
        const attempt = `set neighbour ${address} of ${link} in ${scene.describe(place)}`;
        const index = indices.get(link);
        if (index === undefined) throw new TsnetError('KERNEL', `cannot ${attempt}: there is no such link`);
        return { attempt, request: setNeighbour(index, address, mac) };
      });
      scene.post(place, steps);
    }
  },

  async remove(resources, scene) {
    const failures: TsnetError[] = [];
    for (const [place, neighbours] of byPlace(resources)) {
      const socket = await scene.socketIfThere(place);
      if (socket === undefined) continue;
      const indices = await linksOf(place, neighbours, scene);
      const steps = neighbours.flatMap(({ link, address }): Step[] => {
        const index = indices.get(link);
        if (index === undefined) return [];
        const attempt = `delete neighbour ${address} of ${link} in ${scene.describe(place)}`;
        return [{ attempt, request: deleteNeighbour(index, address) }];
      });
      failures.push(...(await tryAll(socket, steps, ['ENOENT', 'ENODEV'])));
    }
    return failures;
  },

  observe: (resources, scene) =>
    observePlaces(resources, scene, async (place, neighbours) => {
      const socket = await scene.socket(place);
      const indices = await linksOf(place, neighbours, scene);
      const asked = neighbours.flatMap((resource) => {
        const index = indices.get(resource.link);
        return index === undefined ? [] : [{ resource, request: getNeighbour(index, resource.address) }];
      });
      // One by one, pipelined: a VXLAN device has one for every container of other hosts.
      const outcomes = await socket.batch(asked.map(({ request }) => request));
      const found = new Map(asked.map(({ resource }, index) => [resource, compare(resource, outcomes[index])]));
      return neighbours.map((resource): Observation => found.get(resource) ?? { resource, state: 'missing' });
    }),
};

function linksOf(
  place: Place,
  neighbours: readonly NeighbourResource[],
  scene: Scene,
): Promise<ReadonlyMap<string, number>> {
  return scene.linkIndices(place, [...new Set(neighbours.map(({ link }) => link))]);
}

function compare(resource: NeighbourResource, outcome: Outcome | undefined): Observation {
  const refusal = outcome?.refusal;
  if (refusal !== undefined && refusal.code !== 'ENOENT' && refusal.code !== 'ENODEV') {
    throw refused(`look for neighbour ${resource.address} of ${resource.link}`, refusal);
  }
  const reply = outcome?.replies[0];
  if (reply === undefined) return { resource, state: 'missing' };
  const known = parseNeighbour(reply);
  if (known.permanent && known.mac === resource.mac.toLowerCase()) return { resource, state: 'present' };
  return { resource, state: 'wrong', detail: `${resource.address} is at ${known.mac} instead of ${resource.mac}` };
}
