/** What may be damaged, collected from events until somebody looks. */
import type { HealScope } from '../../engine/heal.ts';

export interface Dirt {
  firewall: boolean;
  strays: boolean;
  readonly networks: Set<string>;
  readonly sandboxes: Set<string>;
  /** What follows `tsnet:` in the alias of a link: the id of a network or of an endpoint. */
  readonly tagged: Set<string>;
}

export function noDirt(): Dirt {
  return { firewall: false, strays: false, networks: new Set(), sandboxes: new Set(), tagged: new Set() };
}

export function isClean({ firewall, strays, networks, sandboxes, tagged }: Dirt): boolean {
  return !firewall && !strays && networks.size + sandboxes.size + tagged.size === 0;
}

/** Adds what may be damaged as well. */
export function soil(dirt: Dirt, scope: Partial<HealScope>): void {
  dirt.firewall ||= scope.firewall === true;
  dirt.strays ||= scope.strays === true;
  for (const id of scope.networks ?? []) dirt.networks.add(id);
  for (const id of scope.sandboxes ?? []) dirt.sandboxes.add(id);
}
