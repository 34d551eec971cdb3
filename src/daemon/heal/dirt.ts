/** What may be damaged, collected from events until somebody looks. */
import type { HealScope } from '../../engine/heal.ts';

export interface Dirt {
  everything: boolean;
  firewall: boolean;
  readonly networks: Set<string>;
  readonly sandboxes: Set<string>;
  /** What follows `tsnet:` in the alias of a link: the id of a network or of an endpoint. */
  readonly tagged: Set<string>;
}

export function noDirt(): Dirt {
  return { everything: false, firewall: false, networks: new Set(), sandboxes: new Set(), tagged: new Set() };
}

export function isClean({ everything, firewall, networks, sandboxes, tagged }: Dirt): boolean {
  return !everything && !firewall && networks.size + sandboxes.size + tagged.size === 0;
}

/** Takes a scope that was looked at back in. */
export function soil(dirt: Dirt, scope: HealScope): void {
  dirt.everything ||= scope.everything;
  dirt.firewall ||= scope.firewall;
  for (const id of scope.networks) dirt.networks.add(id);
  for (const id of scope.sandboxes) dirt.sandboxes.add(id);
}
