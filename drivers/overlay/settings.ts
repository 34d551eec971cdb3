/**
 * What an overlay network decides once, when it is created. All hosts keep the same, but for `vtep`: their own place in the
 * underlay, which each puts in when it takes the network over (`localize`).
 */
import { canonicalAddress, parsePrefix } from '../../src/model/address.ts';
import { TsnetError } from '../../src/model/error.ts';
import type { Family, JsonValue, Network } from '../../src/model/records.ts';
import type { ClusterDraft, ConfigureInput, NetworkDraft, Underlay } from '../../src/plan/driver.ts';
import { familyOfPool, type BridgeSettings } from '../bridge/settings.ts';

export interface OverlaySettings extends BridgeSettings {
  readonly mode: 'perIp' | 'block';
  /** mode=block: prefix length of the IPv4 blocks. */
  readonly blockLength?: number;
  /** mode=block: names of containers are told through the store. */
  readonly names?: 'store';
  /** Name of the VXLAN device. */
  readonly device: string;
  readonly vni: number;
  readonly port: number;
  readonly outerFamily: Family;
  /** The largest MTU that fits into the underlay's packets. */
  readonly mtuLimit: number;
  /** This host's underlay address; empty until it is known. */
  readonly vtep: string;
}

/** VXLAN 8, UDP 8, inner Ethernet 14, outer IPv4 20 or IPv6 40 (RFC 7348, section 5). */
const OVERHEAD: Readonly<Record<Family, number>> = { 4: 50, 6: 70 };
/** RFC 8200, section 5. */
const LEAST_IPV6_MTU = 1280;
const LARGEST_VNI = 2 ** 24 - 1;

function text(value: JsonValue | undefined, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function refusal(name: string, why: string): TsnetError {
  return new TsnetError('FORBIDDEN', `create network ${name}: ${why}`);
}

/** @throws TsnetError */
export function configureOverlay({ draft, facts, defaults, cluster }: ConfigureInput): OverlaySettings {
  const { options, name } = draft;
  if ((options['encrypted'] ?? 'false') !== 'false') {
    throw new TsnetError(
      'UNSUPPORTED',
      `create network ${name}: the overlay driver does not encrypt; leave "encrypted" out and join the hosts by WireGuard or IPsec, with cluster-advertise naming that link`,
    );
  }
  if (cluster === undefined) {
    throw new TsnetError(
      'UNSUPPORTED',
      `create network ${name}: an overlay joins the hosts of a cluster, and this one is in none; set cluster-store in daemon.json and run tsnet daemon`,
    );
  }
  const mode = options['mode'] === 'block' ? 'block' : 'perIp';
  const blockLength = blockLengthOf(draft, mode);
  const bridge = text(options['bridge.name'], `tsn-${draft.id.slice(0, 11)}`);
  const link = facts.links.find((one) => one.name === bridge);
  if (link !== undefined && link.alias?.startsWith('tsnet:') !== true) {
    throw refusal(name, `a link ${bridge} exists, and an overlay's bridge is its own; choose another bridge.name`);
  }
  const { mtu, mtuLimit } = mtuOf(draft, cluster, defaults.mtu);
  return {
    bridge,
    adopted: false,
    addresses: draft.pools.flatMap(({ gateway, subnet }) =>
      gateway === undefined ? [] : [`${gateway}${subnet.slice(subnet.indexOf('/'))}`],
    ),
    // No container's MAC begins with 06 (they begin with 02:42): the gateway's is nobody else's, and the same on every host.
    mac: `06:${(draft.id.slice(0, 10).match(/../g) ?? []).join(':')}`,
    mtu,
    mtuLimit,
    icc: true,
    masquerade: options['masquerade'] !== false,
    publishAddress: text(options['host-address'], '0.0.0.0'),
    interfacePrefix: text(options['interface-prefix'], 'eth'),
    modeIPv4: 'nat',
    modeIPv6: 'nat',
    snatIPv4: '',
    snatIPv6: '',
    trustedLinks: [],
    allowDirect: defaults.allowDirectRouting,
    forwarding: defaults.ipForward ? 'set' : 'require',
    mode,
    ...(blockLength === undefined ? {} : { blockLength }),
    ...(tellsNames(draft, mode) ? { names: 'store' as const } : {}),
    device: `tsx-${draft.id.slice(0, 11)}`,
    vni: vniOf(draft, cluster),
    port: typeof options['port'] === 'number' ? options['port'] : cluster.port,
    outerFamily: cluster.outerFamily,
    vtep: '',
  };
}

const USUAL_BLOCK = 24;
/** In smaller subnets: so many blocks, of 16 addresses at least. */
const BITS_OF_BLOCKS = 8;
const SMALLEST_USUAL_BLOCK = 28;
/** Eight addresses, of which one is nobody's. */
const SMALLEST_BLOCK = 29;

/** @throws TsnetError FORBIDDEN */
function blockLengthOf(draft: NetworkDraft, mode: OverlaySettings['mode']): number | undefined {
  const { name, pools, options } = draft;
  const asked = options['block-size'];
  if (mode !== 'block') {
    if (asked === undefined) return undefined;
    throw refusal(name, 'block-size is for networks whose hosts have blocks; add -o mode=block, or leave it out');
  }
  checkBlockPools(draft);
  const subnetOf = (family: Family) => pools.find((pool) => familyOfPool(pool) === family)?.subnet;
  const [four, six] = [subnetOf(4), subnetOf(6)];
  if (four === undefined)
    throw refusal(name, 'mode=block cuts an IPv4 subnet into blocks; add one, or leave the mode out');
  const { length } = parsePrefix(four);
  if (six !== undefined && 128 - parsePrefix(six).length < 32 - length) {
    throw refusal(
      name,
      `mode=block: ${six} has fewer addresses than ${four}, which is cut into as many blocks; choose a larger one`,
    );
  }
  const usual = Math.max(USUAL_BLOCK, Math.min(length + BITS_OF_BLOCKS, SMALLEST_USUAL_BLOCK));
  const chosen = typeof asked === 'number' ? asked : usual;
  if (chosen > length && chosen <= SMALLEST_BLOCK) return chosen;
  if (asked === undefined || length >= SMALLEST_BLOCK) {
    throw refusal(name, `mode=block: ${four} is too small to be cut into blocks; choose a larger subnet`);
  }
  throw refusal(
    name,
    `block-size ${chosen} does not cut ${four} into blocks; choose ${length + 1} to ${SMALLEST_BLOCK}`,
  );
}

/** @throws TsnetError FORBIDDEN */
function tellsNames({ name, options }: NetworkDraft, mode: OverlaySettings['mode']): boolean {
  if (options['names'] !== undefined && mode !== 'block') {
    throw refusal(name, 'names is for networks whose hosts have blocks; without mode=block all hosts know all names');
  }
  return options['names'] === 'store';
}

/** Routes lead to blocks, and each family has the one subnet that they are part of. */
function checkBlockPools({ name, pools }: NetworkDraft): void {
  for (const family of [4, 6] as const) {
    const some = pools.filter((pool) => familyOfPool(pool) === family);
    if (some.length > 1) throw refusal(name, `mode=block takes one IPv${family} subnet; make a second network`);
    if (some.some(({ gateway }) => gateway === undefined)) {
      throw refusal(name, 'mode=block routes between the hosts and needs the gateway; leave it in');
    }
  }
}

function mtuOf(
  { name, options, pools }: NetworkDraft,
  { underlayMtu, outerFamily }: ClusterDraft,
  preferred: number,
): { readonly mtu: number; readonly mtuLimit: number } {
  const mtuLimit = underlayMtu - OVERHEAD[outerFamily];
  const asked = options['mtu'];
  const mtu = typeof asked === 'number' ? asked : Math.min(mtuLimit, preferred || mtuLimit);
  checkMtu(`create network ${name}`, mtu, mtuLimit);
  if (mtu < LEAST_IPV6_MTU && pools.some((pool) => familyOfPool(pool) === 6)) {
    throw refusal(name, `IPv6 needs an MTU of ${LEAST_IPV6_MTU}, and this network would have ${mtu}`);
  }
  return { mtu, mtuLimit };
}

/** @throws TsnetError FORBIDDEN */
export function checkMtu(act: string, mtu: number, limit: number): void {
  if (mtu <= limit) return;
  throw new TsnetError(
    'FORBIDDEN',
    `${act}: an MTU of ${mtu} does not fit between the hosts, where ${limit} bytes are left for packets; choose at most ${limit}`,
  );
}

function vniOf({ name, options }: NetworkDraft, { vnis }: ClusterDraft): number {
  const asked = options['vni'];
  const vni = typeof asked === 'string' && asked !== '' ? Number(asked) : vnis[0];
  if (vni === undefined || !Number.isInteger(vni) || vni < 1 || vni > LARGEST_VNI) {
    throw refusal(name, `vni ${String(vni)} is none; expected 1 to ${LARGEST_VNI}`);
  }
  if (!vnis.includes(vni)) throw refusal(name, `vni ${vni} is not this network's; the cluster gave ${vnis.join(', ')}`);
  return vni;
}

/**
 * The settings with this host's place in the underlay.
 * @throws TsnetError UNSUPPORTED where it has no address of the underlay's family
 */
export function localizeOverlay(network: Network, settings: OverlaySettings, underlay: Underlay): OverlaySettings {
  const vtep = settings.outerFamily === 4 ? underlay.vtep : underlay.vtep6;
  if (vtep === undefined) {
    throw new TsnetError(
      'UNSUPPORTED',
      `take over network ${network.name}: its hosts speak IPv${settings.outerFamily} to each other, and this one has no such address; name a link that has one in cluster-advertise`,
    );
  }
  return { ...settings, vtep: canonicalAddress(vtep) };
}
