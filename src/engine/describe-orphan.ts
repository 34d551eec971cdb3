/** An orphan in one line. */
import type { Orphan } from '../plan/kernel.ts';

export function describeOrphan(orphan: Orphan): string {
  switch (orphan.kind) {
    case 'link':
      return `link ${orphan.name} (${orphan.tag})`;
    case 'fdb':
      return `fdb ${orphan.mac} dst ${orphan.vtep} on ${orphan.link}`;
    case 'neighbour':
      return `neighbour ${orphan.address} at ${orphan.mac} on ${orphan.link}`;
    case 'route':
      return `route ${orphan.destination}${orphan.via === undefined ? '' : ` via ${orphan.via}`} on ${orphan.link}`;
    case 'rule':
      return `${orphan.family === 4 ? 'iptables' : 'ip6tables'} -t ${orphan.table} -A ${orphan.chain} ${orphan.rule}`;
  }
}
