/**
 * Policy rules, marked by their protocol number: a container's replies leave by the network they came in by.
 */
import type { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { RuleResource } from '../plan/resource.ts';
import { byPlace, type Executor } from './executor.ts';
import { observePlaces } from './observe-places.ts';
import { addRule, deleteRule, dumpRules, parseRule, type WantedRule } from './rule-message.ts';
import type { Scene } from './scene.ts';
import { accepting, tryAll } from './steps.ts';

export const ruleExecutor: Executor<'rule'> = {
  ensure(resources, scene) {
    for (const rule of resources) {
      scene.post(rule.place, [accepting('EEXIST', { attempt: `add ${words(rule, scene)}`, request: addRule(rule) })]);
    }
    return Promise.resolve();
  },

  async remove(resources, scene) {
    const failures: TsnetError[] = [];
    for (const [place, rules] of byPlace(resources)) {
      const socket = await scene.socketIfThere(place);
      if (socket === undefined) continue;
      const steps = rules.map((rule) => ({ attempt: `delete ${words(rule, scene)}`, request: deleteRule(rule) }));
      failures.push(...(await tryAll(socket, steps, ['ENOENT'])));
    }
    return failures;
  },

  observe: (resources, scene) =>
    observePlaces(resources, scene, async (place, rules) => {
      const socket = await scene.socket(place);
      const observations: Observation[] = [];
      for (const resource of rules) {
        const { family } = resource;
        const held = await scene.snapshot(place, `rules, IPv${family}`, async () =>
          (await socket.dump(dumpRules(family))).map(parseRule),
        );
        observations.push({ resource, state: held.some((rule) => isSame(rule, resource)) ? 'present' : 'missing' });
      }
      return observations;
    }),
};

function isSame(a: WantedRule, b: WantedRule): boolean {
  return a.family === b.family && a.from === b.from && a.table === b.table && a.priority === b.priority;
}

function words({ from, table, priority, place }: RuleResource, scene: Scene): string {
  return `rule from ${from} lookup ${table} priority ${priority} in ${scene.describe(place)}`;
}
