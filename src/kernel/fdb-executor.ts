/**
 * Where the MACs of other hosts live: entries of VXLAN devices, thousands in one run.
 *
 * They are looked at one by one, pipelined: reading a whole table costs more than its entries once it has some hundred thousand,
 * since the kernel begins each part of a dump by skipping what it has told.
 */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { FdbResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { deleteFdb, deleteLearned, getFdb, parseFdb, setFdb } from './fdb-message.ts';
import { refused } from './kernel-refusal.ts';
import type { Outcome } from './netlink-socket.ts';
import type { Scene } from './scene.ts';
import { tryAll, type Step } from './steps.ts';

export const fdbExecutor: Executor<'fdb'> = {
  async ensure(entries, scene) {
    const indices = await linksOf(entries, scene);
    scene.post(
      'host',
      entries.map((entry): Step => {
        const attempt = `set ${words(entry)}`;
        const index = indices.get(entry.link);
        if (index === undefined) throw new TsnetError('KERNEL', `cannot ${attempt}: there is no such link`);
        return { attempt, request: setFdb(index, entry.mac, entry.vtep) };
      }),
    );
  },

  async remove(entries, scene) {
    const indices = await linksOf(entries, scene);
    const steps = entries.flatMap((entry): Step[] => {
      const index = indices.get(entry.link);
      if (index === undefined) return [];
      return [
        { attempt: `delete ${words(entry)}`, request: deleteFdb(index, entry.mac, entry.vtep) },
        // The bridge has learned it from what came in. A container of this host that has the MAC now would not be reached.
        { attempt: `forget ${entry.mac} at ${entry.link}`, request: deleteLearned(index, entry.mac) },
      ];
    });
    // An entry that leads to another host by now is not this one; a device that is no port of a bridge has taught none.
    return tryAll(scene.host, steps, ['ENOENT', 'ENODEV', 'EINVAL', 'EOPNOTSUPP']);
  },

  async observe(entries, scene) {
    const indices = await linksOf(entries, scene);
    const known = entries.flatMap((entry) => {
      const index = indices.get(entry.link);
      return index === undefined ? [] : [{ entry, request: getFdb(index, entry.mac) }];
    });
    const outcomes = await scene.host.batch(known.map(({ request }) => request));
    const found = new Map(known.map(({ entry }, index) => [entry, compare(entry, outcomes[index])]));
    return entries.map((resource): Observation => found.get(resource) ?? { resource, state: 'missing' });
  },
};

function linksOf(entries: readonly FdbResource[], scene: Scene): Promise<ReadonlyMap<string, number>> {
  return scene.linkIndices('host', [...new Set(entries.map(({ link }) => link))]);
}

function compare(resource: FdbResource, outcome: Outcome | undefined): Observation {
  const refusal = outcome?.refusal;
  if (refusal !== undefined && refusal.code !== 'ENOENT' && refusal.code !== 'ENODEV') {
    throw refused(`look for ${words(resource)}`, refusal);
  }
  const reply = outcome?.replies[0];
  const entry = reply && parseFdb(reply);
  if (entry === undefined) return { resource, state: 'missing' };
  if (entry.vtep !== resource.vtep) {
    return { resource, state: 'wrong', detail: `${resource.mac} lives at ${entry.vtep} instead of ${resource.vtep}` };
  }
  if (!entry.permanent) return { resource, state: 'wrong', detail: `${resource.mac} is not permanent` };
  return { resource, state: 'present' };
}

function words({ mac, vtep, link }: FdbResource): string {
  return `entry ${mac} dst ${vtep} of ${link}`;
}
