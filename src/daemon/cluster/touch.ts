/** Being in touch with the cluster: whoever needs the store and cannot have it is told why, in the same words everywhere. */
import type { ClusterStore } from '../../model/cluster-store.ts';
import { TsnetError } from '../../model/error.ts';

export function outOfTouch(store: Pick<ClusterStore, 'status'>, why?: string): TsnetError {
  const { kind, endpoint, reason } = store.status();
  const where = endpoint === undefined ? kind : `${kind} at ${endpoint}`;
  return new TsnetError(
    'RUNTIME',
    `the cluster store (${where}) does not know this host to be alive: ${why ?? reason ?? 'no session'}`,
  );
}

/** @throws what `error` makes, when the work takes longer than `ms` */
export async function within(work: Promise<void>, ms: number, error: () => TsnetError): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(error());
    }, ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
