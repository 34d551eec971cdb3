/** What arrives on a link of the host, led to another: a u32 filter that matches all below an ingress queue. */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { RedirectResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { KernelRefusal, refused } from './kernel-refusal.ts';
import type { Scene } from './scene.ts';
import { accepting, take, tryAll, type Step } from './steps.ts';
import {
  addRedirect,
  deleteIngressQueue,
  dumpIngressFilters,
  redirectTarget,
  setIngressQueue,
} from './traffic-message.ts';

export const redirectExecutor: Executor<'redirect'> = {
  async ensure(redirects, scene) {
    for (const redirect of redirects) {
      const { link, to } = await endsOf(redirect, scene);
      const attempt = `lead what arrives on ${redirect.link} through ${redirect.to}`;
      if (link === undefined || to === undefined) {
        const missing = link === undefined ? redirect.link : redirect.to;
        throw new TsnetError('KERNEL', `cannot ${attempt}: there is no link ${missing}`);
      }
      const targets = await targetsOf(link, scene);
      if (targets.length === 1 && targets[0] === to) continue;
      const steps: Step[] = [
        { attempt, request: setIngressQueue(link), onRefusal: unsupported(attempt) },
        { attempt, request: addRedirect(link, to), onRefusal: unsupported(attempt) },
      ];
      // Filters that are there already would be asked first.
      const clearing = accepting('ENOENT', { attempt, request: deleteIngressQueue(link) });
      await take(scene.host, targets.length === 0 ? steps : [clearing, ...steps]);
    }
  },

  async remove(redirects, scene) {
    const steps: Step[] = [];
    for (const redirect of redirects) {
      const { link } = await endsOf(redirect, scene);
      if (link === undefined) continue;
      steps.push({ attempt: `lead what arrives on ${redirect.link} straight on`, request: deleteIngressQueue(link) });
    }
    return tryAll(scene.host, steps, ['ENOENT', 'ENODEV', 'EINVAL']);
  },

  async observe(redirects, scene) {
    const observations: Observation[] = [];
    for (const resource of redirects) {
      const { link, to } = await endsOf(resource, scene);
      const targets = link === undefined ? [] : await targetsOf(link, scene);
      if (targets.length === 0) observations.push({ resource, state: 'missing' });
      else if (targets.length === 1 && targets[0] === to) observations.push({ resource, state: 'present' });
      else observations.push({ resource, state: 'wrong', detail: `what arrives on ${resource.link} is led elsewhere` });
    }
    return observations;
  },
};

async function endsOf(
  { link, to }: RedirectResource,
  scene: Scene,
): Promise<{ readonly link: number | undefined; readonly to: number | undefined }> {
  const indices = await scene.linkIndices('host', [link, to]);
  return { link: indices.get(link), to: indices.get(to) };
}

/** Where filters lead what arrives, one entry a filter; undefined for filters that do something else. */
async function targetsOf(link: number, scene: Scene): Promise<(number | undefined)[]> {
  try {
    const filters = await scene.host.dump(dumpIngressFilters(link));
    // A u32 filter is told three times: itself, its table, its entry with the action.
    const targets = filters.map(redirectTarget);
    const leading = targets.filter((target) => target !== undefined);
    return filters.length === 0 ? [] : leading.length > 0 ? leading : [undefined];
  } catch (error) {
    // No ingress queue: no filters.
    if (error instanceof KernelRefusal && ['EINVAL', 'ENOENT', 'ENODEV'].includes(error.code)) return [];
    throw error;
  }
}

function unsupported(attempt: string): NonNullable<Step['onRefusal']> {
  return (refusal) => {
    if (refusal.code !== 'ENOENT') throw refused(attempt, refusal);
    throw new TsnetError(
      'UNSUPPORTED',
      `cannot ${attempt}: the kernel needs CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32 and CONFIG_NET_ACT_MIRRED (modules sch_ingress, cls_u32, act_mirred)`,
      { cause: refusal },
    );
  };
}
