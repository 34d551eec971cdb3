/**
 * Firewall intents → elements of the table's sets and maps. What each set is for: `table.ts`.
 */
import type { Family } from '../../model/records.ts';
import type {
  FirewallResource,
  InternalIntent,
  IsolateIntent,
  PublishIntent,
  VtepGuardIntent,
  VtepIntent,
} from '../../plan/resource.ts';
import type { Element } from './element.ts';
import type { SetName } from './table.ts';

const proto = (family: Family): string => `ipv${family}`;

/** Packets for the network's addresses come by its bridge, or by links that the administrator trusts. */
function guarded(intent: IsolateIntent | InternalIntent, trustedLinks: readonly string[]): Element[] {
  const { family, bridge, subnet } = intent;
  return [
    { set: `closed${family}`, key: [subnet, proto(family)] },
    ...[bridge, ...trustedLinks].map((link): Element => ({ set: `near${family}`, key: [subnet, link] })),
  ];
}

function isolateElements(intent: IsolateIntent): Element[] {
  const { family, bridge } = intent;
  const key = [proto(family), bridge];
  return [
    ...(intent.allowDirect ? [] : [...guarded(intent, intent.trustedLinks), { set: 'guarded', key } as const]),
    { set: 'bridges', key },
    { set: 'isolated', key },
    ...(intent.icmp === true ? [{ set: 'pingable', key } as const] : []),
    ...(intent.unprotected ? [{ set: 'unprotected', key } as const] : []),
  ];
}

const range = (first: number, count: number): string => `${first}-${first + count - 1}`;

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** The container's own port, open from outside. */
function openElement({ family, protocol, to, containerPort, count }: PublishIntent): Element {
  if (count === 1) return { set: `open${family}`, key: [to, protocol, String(containerPort)] };
  return { set: `open_ranges${family}`, key: [range(containerPort, count), to, protocol] };
}

/**
 * Where published ports lead. A range that keeps its numbers is one element, since DNAT keeps the port where it is told none.
 * A shifted one is an element a port: nftables cannot add, and deals the ports of a target range at random.
 */
function targetElements(intent: PublishIntent): Element[] {
  const { family, protocol, hostAddress, hostPort, containerPort, count, to } = intent;
  const at = isWildcard(hostAddress) ? '' : '_at';
  const address = at === '' ? [] : [hostAddress];
  if (count > 1 && hostPort === containerPort) {
    return [{ set: `ranges${at}${family}`, key: [range(hostPort, count), ...address, protocol], value: [to] }];
  }
  return Array.from({ length: count }, (_, index) => ({
    set: `ports${at}${family}` as const,
    key: [...address, protocol, `${hostPort + index}`],
    value: [to, `${containerPort + index}`],
  }));
}

function vtepElements(intent: VtepGuardIntent | VtepIntent): Element[] {
  const { family } = intent;
  const port = String(intent.port);
  if (intent.kind === 'vtep') return [{ set: `vteps${family}`, key: [intent.address, port] }];
  return [
    { set: 'vxlan_ports', key: [proto(family), port] },
    { set: `own_vteps${family}`, key: [intent.local, port] },
  ];
}

/** Sets of a guard of VXLAN: whoever does not know the hosts of the cluster cannot tell what is too much in them. */
export const GUARD_SETS: ReadonlySet<SetName> = new Set<SetName>([
  'vxlan_ports',
  'vteps4',
  'vteps6',
  'own_vteps4',
  'own_vteps6',
]);

/** A subnet as nft(8) lists it: one address of its own without a length. */
function listed(subnet: string, family: Family): string {
  const alone = family === 4 ? '/32' : '/128';
  return subnet.endsWith(alone) ? subnet.slice(0, -alone.length) : subnet;
}

/** The elements of one intent. */
export function elementsOf(resource: FirewallResource): Element[] {
  if (resource.kind === 'vtep-guard' || resource.kind === 'vtep') return vtepElements(resource);
  const { family, bridge } = resource;
  const intent = 'subnet' in resource ? { ...resource, subnet: listed(resource.subnet, family) } : resource;
  switch (intent.kind) {
    case 'isolate':
      return isolateElements(intent);
    case 'internal':
      return [
        ...guarded(intent, []),
        { set: 'bridges', key: [proto(family), bridge] },
        { set: 'internal', key: [proto(family), bridge] },
      ];
    case 'icc':
      return [
        { set: 'icc', key: [proto(family), bridge, bridge], value: [intent.allow ? 'accept' : 'drop'] },
        ...(intent.internal ? [] : [{ set: 'leave', key: [proto(family), bridge] } as const]),
      ];
    case 'masquerade':
      return [
        intent.to === undefined
          ? { set: `masquerade${family}`, key: [intent.subnet, proto(family)] }
          : { set: `snat${family}`, key: [intent.subnet, proto(family)], value: [intent.to] },
        { set: `home${family}`, key: [intent.subnet, bridge] },
      ];
    case 'hairpin':
      // Programs on the host that use 127.0.0.1, and containers of the same network.
      return [...(family === 4 ? ['127.0.0.0/8'] : []), intent.subnet].map((source) => ({
        set: `hairpin${family}` as const,
        key: [source, bridge],
      }));
    case 'branch':
      // The branch is as an internal network: the way to its bridge is the only one.
      return [
        { set: `near${family}`, key: [intent.subnet, intent.link] },
        { set: `home${family}`, key: [intent.subnet, intent.link] },
        { set: 'internal', key: [proto(family), intent.link] },
        { set: 'icc', key: [proto(family), bridge, intent.link], value: ['accept'] },
        { set: 'icc', key: [proto(family), intent.link, bridge], value: ['accept'] },
      ];
    case 'publish':
      if (intent.mode === 'routed') return [openElement(intent)];
      return [...targetElements(intent), ...(intent.direct === true ? [openElement(intent)] : [])];
  }
}
