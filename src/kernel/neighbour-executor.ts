/** Permanent neighbours: the host and a container that know each other's MAC need not ask the LAN. */
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';
import type { Observation } from '../plan/kernel.ts';
import type { NeighbourResource, Place } from '../plan/resource.ts';
import { byPlace, type Executor } from './executor.ts';
import { deleteNeighbour, dumpNeighbours, parseNeighbour, setNeighbour, type Neighbour } from './neighbour-message.ts';
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
      const indices = await linksOf(place, neighbours, scene);
      const observations: Observation[] = [];
      for (const resource of neighbours) {
        const index = indices.get(resource.link);
        const known = index === undefined ? [] : await neighboursOf(place, resource, scene);
        observations.push(
          compare(
            resource,
            known.find(({ link, address }) => link === index && address === resource.address),
          ),
        );
      }
      return observations;
    }),
};

function linksOf(
  place: Place,
  neighbours: readonly NeighbourResource[],
  scene: Scene,
): Promise<ReadonlyMap<string, number>> {
  return scene.linkIndices(
    place,
    neighbours.map(({ link }) => link),
  );
}

async function neighboursOf(place: Place, { address }: NeighbourResource, scene: Scene): Promise<readonly Neighbour[]> {
  const family: Family = address.includes(':') ? 6 : 4;
  const socket = await scene.socket(place);
  return scene.snapshot(place, `neighbours, IPv${family}`, async () =>
    (await socket.dump(dumpNeighbours(family))).map(parseNeighbour),
  );
}

function compare(resource: NeighbourResource, known: Neighbour | undefined): Observation {
  if (known === undefined) return { resource, state: 'missing' };
  if (known.permanent && known.mac === resource.mac.toLowerCase()) return { resource, state: 'present' };
  return { resource, state: 'wrong', detail: `${resource.address} is at ${known.mac} instead of ${resource.mac}` };
}
