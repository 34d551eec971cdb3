/** Token buckets at the root of links of the host. */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { TokenBucketResource } from '../plan/resource.ts';
import { observed, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import type { Scene } from './scene.ts';
import { tryAll, type Step } from './steps.ts';
import { burstTicks, deleteRootQueue, dumpQueues, parseQueue, setTokenBucket, type Queue } from './traffic-message.ts';

/** The kernel reckons a burst in bytes and tells it in ticks: both ways it rounds. */
const ROUNDING = 0.01;
/** A burst that lasts longer than 32 bits of ticks, 275 seconds, is told cut short. */
const MOST_TICKS = 0xffff_ffff;

export const tokenBucketExecutor: Executor<'token-bucket'> = {
  async ensure(buckets, scene) {
    const indices = await linksOf(buckets, scene);
    scene.post(
      'host',
      buckets.map((bucket): Step => {
        const attempt = `limit ${bucket.link} to ${bucket.bytesPerSecond * 8} bit/s`;
        const index = indices.get(bucket.link);
        if (index === undefined) throw new TsnetError('KERNEL', `cannot ${attempt}: there is no such link`);
        return {
          attempt,
          request: setTokenBucket(index, bucket),
          onRefusal: (refusal) => {
            if (refusal.code !== 'ENOENT') throw refused(attempt, refusal);
            throw new TsnetError(
              'UNSUPPORTED',
              `cannot ${attempt}: this kernel has no token buckets; it needs CONFIG_NET_SCH_TBF (module sch_tbf)`,
              { cause: refusal },
            );
          },
        };
      }),
    );
  },

  async remove(buckets, scene) {
    const indices = await linksOf(buckets, scene);
    const steps = buckets.flatMap(({ link }): Step[] => {
      const index = indices.get(link);
      return index === undefined ? [] : [{ attempt: `take the limit from ${link}`, request: deleteRootQueue(index) }];
    });
    return tryAll(scene.host, steps, ['ENOENT', 'ENODEV', 'EINVAL']);
  },

  async observe(buckets, scene) {
    const indices = await linksOf(buckets, scene);
    const queues = await scene.snapshot('host', 'queues', async () =>
      (await scene.host.dump(dumpQueues())).map(parseQueue),
    );
    return buckets.map((resource): Observation => {
      const index = indices.get(resource.link);
      const queue = queues.find(({ link, at, kind }) => link === index && at === 'root' && kind === 'tbf');
      return queue === undefined ? { resource, state: 'missing' } : observed(resource, differences(resource, queue));
    });
  },
};

function linksOf(buckets: readonly TokenBucketResource[], scene: Scene): Promise<ReadonlyMap<string, number>> {
  return scene.linkIndices(
    'host',
    buckets.map(({ link }) => link),
  );
}

function differences(wanted: TokenBucketResource, { bucket }: Queue): string[] {
  const { link, bytesPerSecond, limitBytes } = wanted;
  if (bucket === undefined) return [`${link} has a token bucket that cannot be read`];
  const ticks = Math.min(burstTicks(wanted), MOST_TICKS);
  const isBurstAlike = ticks === MOST_TICKS || Math.abs(bucket.burstTicks - ticks) <= Math.max(1, ticks * ROUNDING);
  return [
    ...(bucket.bytesPerSecond === bytesPerSecond
      ? []
      : [`${link} is limited to ${bucket.bytesPerSecond * 8} instead of ${bytesPerSecond * 8} bit/s`]),
    ...(isBurstAlike ? [] : [`the burst of ${link} is not ${wanted.burstBytes} bytes`]),
    ...(bucket.limitBytes === limitBytes
      ? []
      : [`the queue of ${link} holds ${bucket.limitBytes} instead of ${limitBytes} bytes`]),
  ];
}
