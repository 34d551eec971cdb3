/** An orphan in one line. */
import type { Orphan } from '../plan/kernel.ts';

export function describeOrphan(orphan: Orphan): string {
  return orphan.kind === 'link'
    ? `link ${orphan.name} (${orphan.tag})`
    : `${orphan.family === 4 ? 'iptables' : 'ip6tables'} -t ${orphan.table} -A ${orphan.chain} ${orphan.rule}`;
}
