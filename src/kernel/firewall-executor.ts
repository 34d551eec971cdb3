/**
 * What the kernel layer asks of a firewall backend: iptables, nftables, or none.
 *
 * A backend gets all intents of a change at once, so that one change is one transaction whatever the number of rules.
 * Everything is idempotent: what is there and right is left alone, what is gone counts as removed.
 */
import type { Family } from '../model/records.ts';
import type { Observation, Orphan } from '../plan/kernel.ts';
import type { FirewallResource } from '../plan/resource.ts';

/** A rule of ours that no plan names. */
export type RuleOrphan = Extract<Orphan, { readonly kind: 'rule' }>;

export interface FirewallExecutor {
  /** Makes the intents true in one transaction. Throws TsnetError FIREWALL and changes nothing if the backend refuses. */
  ensure(intents: readonly FirewallResource[]): Promise<void>;
  /** Takes the intents' rules away in one transaction; those already gone are fine. */
  remove(intents: readonly FirewallResource[]): Promise<void>;
  /** One observation an intent, in the order given. */
  observe(intents: readonly FirewallResource[]): Promise<Observation[]>;
  /** Rules in our chains or table that `intents`, all there are, do not explain. */
  orphans(intents: readonly FirewallResource[]): Promise<Orphan[]>;
  /** Removes what `orphans` reported. */
  sweep(orphans: readonly RuleOrphan[]): Promise<void>;
  /** Removes our chains or table altogether; the administrator's chain goes only if it is empty. */
  dismantle(): Promise<void>;
  /** Whether anything of ours is there, but for the administrator's chain. */
  remains(): Promise<boolean>;
}

/** daemon.json `iptables: false`: no rules are written, and none are missed. */
export const noFirewall: FirewallExecutor = {
  ensure: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  observe: (intents) => Promise.resolve(intents.map((resource) => ({ resource, state: 'present' }))),
  orphans: () => Promise.resolve([]),
  sweep: () => Promise.resolve(),
  dismantle: () => Promise.resolve(),
  remains: () => Promise.resolve(false),
};

/** The backend for some families only (daemon.json `iptables`, `ip6tables`): the others' rules are neither written nor missed. */
export function forFamilies(firewall: FirewallExecutor, families: readonly Family[]): FirewallExecutor {
  const ours = (intents: readonly FirewallResource[]): FirewallResource[] =>
    intents.filter(({ family }) => families.includes(family));
  return {
    ensure: (intents) => firewall.ensure(ours(intents)),
    remove: (intents) => firewall.remove(ours(intents)),
    observe: async (intents) => {
      const seen = new Map((await firewall.observe(ours(intents))).map((one) => [one.resource, one]));
      return intents.map((resource) => seen.get(resource) ?? { resource, state: 'present' });
    },
    orphans: async (intents) =>
      (await firewall.orphans(ours(intents))).filter(
        (orphan) => orphan.kind !== 'rule' || families.includes(orphan.family),
      ),
    sweep: (orphans) => firewall.sweep(orphans),
    dismantle: () => firewall.dismantle(),
    remains: () => firewall.remains(),
  };
}
