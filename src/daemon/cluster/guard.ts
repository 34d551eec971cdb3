/** Who may speak VXLAN to this host: kept in the firewall as hosts and networks come and go. */
import { clusterNetworks } from '../../engine/cluster-networks.ts';
import type { EngineContext } from '../../engine/context.ts';
import { guardPlan } from '../../engine/remote-ends.ts';
import type { Plan, Resource } from '../../plan/resource.ts';
import type { Log } from '../log.ts';
import { openProgrammer } from './programmer.ts';

export interface Guard {
  /** Resolves when the firewall has what should be there now, or has refused it. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export function openGuard(context: EngineContext, log: Log): Guard {
  let programmed = new Map<string, Resource>();
  const wanted = (): Plan => {
    const up = clusterNetworks(context).filter(({ id }) => context.ledger.read((view) => view.isRealized(id)));
    return guardPlan(context, up) ?? [...programmed.values()];
  };
  return openProgrammer({
    context,
    log,
    name: 'all of the cluster',
    isUp: () => true,
    owed: [],
    take: () => {
      const next = new Map(wanted().map((resource) => [JSON.stringify(resource), resource]));
      const before = programmed;
      programmed = next;
      return {
        remove: [...before].flatMap(([text, resource]) => (next.has(text) ? [] : [resource])),
        add: [...next].flatMap(([text, resource]) => (before.has(text) ? [] : [resource])),
      };
    },
    failed: () => {
      programmed = new Map();
    },
  });
}
