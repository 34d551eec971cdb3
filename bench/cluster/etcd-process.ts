/** The etcd that the simulated hosts share, and what it costs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { parseClusterStore } from '../../src/model/cluster-address.ts';
import { openClusterStore } from '../../src/store/cluster/open-cluster-store.ts';

export const ETCD_URL = 'etcd://127.0.0.1:2379';
export const ETCD_HTTP = 'http://127.0.0.1:2379';

/** Ticks a second of /proc/PID/stat (sysconf(_SC_CLK_TCK), 100 on every Linux that matters). */
const TICKS = 100;

export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

export interface EtcdOptions {
  /** Where it says that it is; version 2 of its API sends its clients there. */
  readonly advertise?: string;
  /** Serves version 2 as well, which etcd has had behind a switch since 3.4. */
  readonly v2?: boolean;
}

/** On all addresses of this namespace. Rejects when it does not serve within 20 s. */
export async function startEtcd(
  dir: string,
  { advertise = ETCD_HTTP, v2 = false }: EtcdOptions = {},
): Promise<ChildProcess> {
  const etcd = spawn(
    'etcd',
    [
      ...['--data-dir', dir, '--logger', 'zap', '--log-level', 'error', '--quota-backend-bytes', String(8 << 30)],
      ...['--listen-client-urls', 'http://0.0.0.0:2379', '--advertise-client-urls', advertise],
      ...['--listen-peer-urls', 'http://127.0.0.1:2380', '--initial-advertise-peer-urls', 'http://127.0.0.1:2380'],
      ...['--initial-cluster', 'default=http://127.0.0.1:2380', ...(v2 ? ['--enable-v2'] : [])],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const failed = once(etcd, 'error').then(([error]) => {
    throw new Error('etcd is not installed (etcd-server)', { cause: error });
  });
  const store = await openClusterStore({ store: parseClusterStore(ETCD_URL), timeoutMs: 500 });
  try {
    const end = performance.now() + 20_000;
    for (;;) {
      const answered = store.get('probe').then(
        () => true,
        () => false,
      );
      if (await Promise.race([answered, failed])) return etcd;
      if (performance.now() > end) throw new Error('etcd does not serve');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    await store.close();
  }
}

export async function stopEtcd(etcd: ChildProcess): Promise<void> {
  if (etcd.exitCode !== null) return;
  const ended = once(etcd, 'exit');
  etcd.kill('SIGKILL');
  await ended;
}

export function usageOf(pid: number): Usage {
  // Fields after the name, which is in parentheses: 12 and 13 are utime and stime (proc(5)).
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
      .split(') ')[1]
      ?.split(' ') ?? [];
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? '0';
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS, rssBytes: Number(rss) * 1024 };
}
