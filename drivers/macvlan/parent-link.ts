/**
 * The link of the host that macvlan and ipvlan networks stand on: one that is there, a VLAN sub-interface made for them
 * ("eth0.50"), or, without one, a dummy that leads nowhere.
 */
import { TsnetError } from '../../src/model/error.ts';
import type { JsonObject, Network } from '../../src/model/records.ts';
import type { ConfigureInput } from '../../src/plan/driver.ts';
import type { Facts, HostLink } from '../../src/plan/kernel.ts';
import { TAG_PREFIX, type Plan } from '../../src/plan/resource.ts';

export interface ParentSettings extends JsonObject {
  readonly parent: string;
  /** `given`: it was there and stays. */
  readonly parentIs: 'given' | 'vlan' | 'dummy';
  /** MTU of the containers; 0: the parent's, whatever that is. */
  readonly mtu: number;
}

/** "eth0.50": a link without dots, and a VLAN (IEEE 802.1Q: 1…4094). */
const SUB_INTERFACE = /^([^.]+)\.(\d{1,4})$/;
const LAST_VLAN = 4094;
const DUMMY_MTU = 1500;
/** Digits of the network's id in the name of its dummy: with Docker's prefix of three letters, as long as a name may be. */
const DUMMY_DIGITS = 12;

function vlanOf(name: string): { readonly base: string; readonly id: number } | undefined {
  const [, base, digits] = SUB_INTERFACE.exec(name) ?? [];
  const id = Number(digits);
  return base === undefined || id < 1 || id > LAST_VLAN ? undefined : { base, id };
}

function vlanTag(name: string): string {
  return `${TAG_PREFIX}vlan:${name}`;
}

/**
 * Decides on the parent. `dummyPrefix`: "dm-".
 * @throws TsnetError where a link cannot carry containers
 */
export function configureParent({ draft, facts }: ConfigureInput, dummyPrefix: string): ParentSettings {
  const name = draft.options['parent'];
  const asked = typeof draft.options['mtu'] === 'number' ? draft.options['mtu'] : 0;
  const act = `create network ${draft.name}`;
  const refuse = (why: string): never => {
    throw new TsnetError('FORBIDDEN', `${act}: ${why}`);
  };
  const fitting = (mtu: number): number =>
    asked <= mtu ? asked : refuse(`mtu ${asked} is more than the ${mtu} of its parent; raise that first`);
  if (typeof name !== 'string' || name === '') {
    const parent = `${dummyPrefix}${draft.id.slice(0, DUMMY_DIGITS)}`;
    return { parent, parentIs: 'dummy', mtu: fitting(DUMMY_MTU) };
  }
  const find = (wanted: string): HostLink | undefined => facts.links.find((link) => link.name === wanted);
  const link = find(name);
  const vlan = vlanOf(name);
  if (link === undefined) {
    const base = vlan === undefined ? undefined : find(vlan.base);
    if (base === undefined) throw new TsnetError('NOT_FOUND', `${act}: ${missing(name, vlan?.base, facts.links)}`);
    checkCarrier(base, refuse);
    return { parent: name, parentIs: 'vlan', mtu: fitting(base.mtu) };
  }
  // Made for another network, or left from a run that was cut off.
  if (link.alias === vlanTag(name)) return { parent: name, parentIs: 'vlan', mtu: fitting(link.mtu) };
  checkCarrier(link, refuse);
  return { parent: name, parentIs: 'given', mtu: fitting(link.mtu) };
}

/** Another MTU for containers that are there: no more than that of the parent of now. */
export function changeParentMtu<S extends ParentSettings>(
  { name }: Network,
  settings: S,
  { mtu, facts }: { readonly mtu: number; readonly facts: Facts },
): S {
  const most = facts.links.find((link) => link.name === settings.parent)?.mtu ?? mtu;
  if (mtu <= most) return { ...settings, mtu };
  throw new TsnetError(
    'FORBIDDEN',
    `update network ${name}: mtu ${mtu} is more than the ${most} of its parent ${settings.parent}; raise that first`,
  );
}

function missing(name: string, base: string | undefined, links: readonly HostLink[]): string {
  const usable = links.filter(({ medium, master }) => medium === undefined && master === undefined);
  const names = usable.map((link) => link.name).join(', ') || 'none';
  return base === undefined
    ? `there is no link ${name} on this host to be its parent, and the name is not that of a VLAN sub-interface (eth0.50); links: ${names}`
    : `there is no link ${base} on this host to make VLAN sub-interface ${name} on; links: ${names}`;
}

/** Whether the kernel can put links on it, and packets get anywhere. */
function checkCarrier(link: HostLink, refuse: (why: string) => never): void {
  const { name, medium, master, up } = link;
  if (medium !== undefined) {
    refuse(`parent ${name} is ${medium === 'loopback' ? 'the loopback interface' : 'no Ethernet link'}; name another`);
  }
  if (master !== undefined) refuse(`parent ${name} is a port of ${master}; name ${master} as parent`);
  if (!up) refuse(`parent ${name} is down; bring it up first (ip link set ${name} up)`);
}

/** The parent as the plan of its network has it: nothing for one that was there. */
export function parentPlan({ parent, parentIs }: ParentSettings, networkId: string): Plan {
  const up = { kind: 'link-up', place: 'host', link: parent } as const;
  const vlan = vlanOf(parent);
  switch (parentIs) {
    case 'given':
      return [];
    case 'dummy':
      return [{ kind: 'dummy', name: parent, tag: `${TAG_PREFIX}${networkId}` }, up];
    case 'vlan':
      return vlan === undefined
        ? []
        : [{ kind: 'vlan', name: parent, parent: vlan.base, id: vlan.id, tag: vlanTag(parent) }, up];
  }
}
