/**
 * The least that a change of the firewall can cost: the very text that tsnet hands over for a plan, in one transaction, with
 * nothing read or compared.
 */
import { additions as restoreAdditions } from '../src/firewall/iptables/complete.ts';
import { rulesOf } from '../src/firewall/iptables/intent-rules.ts';
import { restoreText } from '../src/firewall/iptables/restore.ts';
import { elementsOf } from '../src/firewall/nftables/intent-elements.ts';
import { additions, removals } from '../src/firewall/nftables/transaction.ts';
import { isFirewall, type FirewallResource, type Plan } from '../src/plan/resource.ts';
import { openNftTransactions } from './nft-transaction.ts';
import { runWith } from './run-with.ts';
import type { Backend } from './tsnet-host.ts';

export interface FirewallFloor {
  /** "one iptables-restore" */
  readonly name: string;
  /** Texts are made here, before anybody looks at the clock. */
  readonly change: (plan: Plan) => FirewallChange;
}

export interface FirewallChange {
  readonly add: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

interface Texts {
  readonly add: string;
  readonly remove: string;
}

const TEXTS: Readonly<Record<Backend, (intents: readonly FirewallResource[]) => Texts>> = {
  iptables: (intents) => {
    const add = restoreText(restoreAdditions(intents.flatMap(rulesOf)));
    return { add, remove: add.replace(/^-[AI] /gm, '-D ') };
  },
  nftables: (intents) => {
    const elements = intents.flatMap(elementsOf);
    return elements.length === 0 ? { add: '', remove: '' } : { add: additions(elements), remove: removals(elements) };
  },
};

export const FIREWALL_FLOOR_NAMES: Readonly<Record<Backend, string>> = {
  iptables: 'one iptables-restore',
  nftables: 'one libnftables transaction',
};

/** To be opened in the host's namespace. */
export function firewallFloor(backend: Backend): FirewallFloor {
  const commit =
    backend === 'nftables'
      ? openNftTransactions()
      : (text: string) => runWith(text, 'iptables-restore', '--noflush', '--wait');
  const apply = (text: string) => (): Promise<void> => (text === '' ? Promise.resolve() : commit(text));
  return {
    name: FIREWALL_FLOOR_NAMES[backend],
    change: (plan) => {
      const { add, remove } = TEXTS[backend](plan.filter(isFirewall));
      return { add: apply(add), remove: apply(remove) };
    },
  };
}
