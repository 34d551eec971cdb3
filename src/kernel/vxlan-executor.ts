/**
 * VXLAN devices of the host: `ip link add … type vxlan id … local … dstport … nolearning proxy`, a bridge port or routed into.
 *
 * What a device was born with cannot be changed: where that differs it is made anew, and what hung on it (its entries) with
 * the next look.
 */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { VxlanResource } from '../plan/resource.ts';
import { addressBytes, addressText } from './address-bytes.ts';
import { observed, type Executor } from './executor.ts';
import { refused, type KernelRefusal } from './kernel-refusal.ts';
import { createUpperLink, deleteLink, getLink, setLink, withoutLinkLocal, type Link } from './link-message.ts';
import { attribute, readAttributes, u32Attribute, u32Of, u8Attribute, u8Of } from './netlink-attribute.ts';
import { isOurs } from './ownership.ts';
import { findLinks, linkIn, type Scene } from './scene.ts';
import { accepting, take, tryAll, type Step } from './steps.ts';

/** include/uapi/linux/if_link.h */
const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PROXY = 11;
const IFLA_VXLAN_L2MISS = 13;
const IFLA_VXLAN_L3MISS = 14;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;

export const vxlanExecutor: Executor<'vxlan'> = {
  async ensure(devices, scene) {
    for (const device of devices) await ensureOne(device, scene);
  },

  async remove(devices, scene) {
    const links = await findLinks(
      scene,
      'host',
      devices.map(({ name }) => name),
    );
    const steps = devices.flatMap((device, index): Step[] => {
      const link = links[index];
      if (link === undefined || !isOurs(link, device)) return [];
      return [{ attempt: `delete vxlan ${device.name}`, request: deleteLink(link.index) }];
    });
    return tryAll(scene.host, steps, ['ENODEV']);
  },

  async observe(devices, scene) {
    const masters = await mastersOf(devices, scene);
    const links = await findLinks(
      scene,
      'host',
      devices.map(({ name }) => name),
    );
    return devices.map((resource, index): Observation => {
      const link = links[index];
      if (link === undefined) return { resource, state: 'missing' };
      if (!isOurs(link, resource)) return observed(resource, [`${link.name} is not ours: alias "${link.alias ?? ''}"`]);
      return observed(resource, [
        ...natureDifferences(resource, link),
        ...settingDifferences(resource, link, masters.get(resource.master ?? '')),
      ]);
    });
  },
};

function mastersOf(devices: readonly VxlanResource[], scene: Scene): Promise<ReadonlyMap<string, number>> {
  return scene.linkIndices(
    'host',
    devices.flatMap(({ master }) => master ?? []),
  );
}

async function ensureOne(device: VxlanResource, scene: Scene): Promise<void> {
  const { name, master } = device;
  const bridge = (await mastersOf([device], scene)).get(master ?? '');
  if (master !== undefined && bridge === undefined) {
    throw new TsnetError(
      'KERNEL',
      `cannot join vxlan ${name} to bridge ${master}: there is no such link; run tsnet repair`,
    );
  }
  const [found] = await findLinks(scene, 'host', [name]);
  if (found !== undefined && !isOurs(found, device)) {
    throw new TsnetError(
      'CONFLICT',
      `cannot create vxlan ${name}: a link of that name is there already and is not ours (alias "${found.alias ?? ''}"); delete or rename it`,
    );
  }
  if (found !== undefined && natureDifferences(device, found).length === 0) {
    if (settingDifferences(device, found, bridge).length > 0) scene.post('host', setUp(device, found, bridge));
    return;
  }
  if (found !== undefined) {
    await take(scene.host, [{ attempt: `replace vxlan ${name}`, request: deleteLink(found.index) }]);
  }
  scene.post('host', setUp(device, await make(device, scene), bridge));
}

async function make(device: VxlanResource, scene: Scene): Promise<Link> {
  const { name, mac, mtu } = device;
  const birth = createUpperLink({ name, mac, mtu }, { kind: 'vxlan', data: nature(device) });
  const [made, seen] = await scene.host.batch([birth, getLink(name)]);
  if (made?.refusal !== undefined) throw await notCreated(device, made.refusal, scene);
  const link = linkIn(seen, `look for vxlan ${name}`);
  if (link === undefined) throw new TsnetError('KERNEL', `vxlan ${name} disappeared as soon as it was made; try again`);
  scene.remember('host', name, link.index);
  return link;
}

/** Marks it ours, makes it a port and brings it up, in this order: no packet meets a device that is nobody's. */
function setUp(device: VxlanResource, link: Link, bridge: number | undefined): Step[] {
  const { name, mac, mtu, tag: alias } = device;
  const attempt = `set up vxlan ${name}`;
  // A bridge port needs no link-local address; a device that packets are routed into does, or IPv6 is off there.
  const silent = { attempt, request: withoutLinkLocal(link.index) };
  return [
    ...(bridge === undefined || link.up ? [] : [accepting('EAFNOSUPPORT', silent)]),
    { attempt, request: setLink(link.index, { alias, mac, mtu, master: bridge ?? 0, up: true }) },
  ];
}

function nature({ vni, port, local }: VxlanResource): Buffer[] {
  // The one number here in network byte order.
  const bigEndianPort = Buffer.alloc(2);
  bigEndianPort.writeUInt16BE(port);
  return [
    u32Attribute(IFLA_VXLAN_ID, vni),
    attribute(local.includes(':') ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, addressBytes(local)),
    attribute(IFLA_VXLAN_PORT, bigEndianPort),
    u8Attribute(IFLA_VXLAN_LEARNING, 0),
    u8Attribute(IFLA_VXLAN_PROXY, 1),
  ];
}

/** What only a new device mends. */
function natureDifferences(device: VxlanResource, link: Link): string[] {
  if (link.kind !== 'vxlan') return [`${link.name} is a ${link.kind ?? 'hardware'} link`];
  const data = readAttributes(link.data ?? Buffer.alloc(0));
  const bytes = data.get(IFLA_VXLAN_LOCAL) ?? data.get(IFLA_VXLAN_LOCAL6);
  const local = bytes === undefined ? 'none' : addressText(bytes);
  const vni = u32Of(data, IFLA_VXLAN_ID) ?? 0;
  const port = data.get(IFLA_VXLAN_PORT)?.readUInt16BE(0) ?? 0;
  const isOn = (flag: number): boolean => u8Of(data, flag) === 1;
  return [
    ...(vni === device.vni ? [] : [`its identifier is ${vni} instead of ${device.vni}`]),
    ...(port === device.port ? [] : [`its port is ${port} instead of ${device.port}`]),
    ...(local === device.local ? [] : [`its local address is ${local} instead of ${device.local}`]),
    ...(isOn(IFLA_VXLAN_LEARNING) ? ['it learns addresses'] : []),
    ...(isOn(IFLA_VXLAN_PROXY) ? [] : ['it answers for no neighbours (proxy off)']),
    ...(isOn(IFLA_VXLAN_L2MISS) || isOn(IFLA_VXLAN_L3MISS) ? ['it tells of misses'] : []),
  ];
}

function settingDifferences(device: VxlanResource, link: Link, bridge: number | undefined): string[] {
  const { name, tag, mac, mtu, master } = device;
  const isJoined = link.master === bridge && (master === undefined || bridge !== undefined);
  return [
    ...(link.alias === tag ? [] : [`alias of ${name} is "${link.alias ?? ''}"`]),
    ...(link.mac === mac.toLowerCase() ? [] : [`MAC of ${name} is ${link.mac} instead of ${mac}`]),
    ...(link.mtu === mtu ? [] : [`mtu of ${name} is ${link.mtu} instead of ${mtu}`]),
    ...(link.up ? [] : [`${name} is down`]),
    ...(isJoined
      ? []
      : [master === undefined ? `${name} is a port of a bridge` : `${name} is not a port of ${master}`]),
  ];
}

async function notCreated(device: VxlanResource, refusal: KernelRefusal, scene: Scene): Promise<TsnetError> {
  const { name, vni, port, local } = device;
  const attempt = `create vxlan ${name} (id ${vni}, port ${port}, local ${local})`;
  if (refusal.code === 'EEXIST') {
    const [rival] = await findLinks(scene, 'host', [name]);
    const why =
      rival === undefined
        ? `another link of this host has id ${vni} at port ${port}`
        : 'somebody has just made a link of that name';
    return new TsnetError('CONFLICT', `cannot ${attempt}: ${why}; look with ip -d link show type vxlan`, {
      cause: refusal,
    });
  }
  if (refusal.code === 'EOPNOTSUPP') {
    return new TsnetError(
      'UNSUPPORTED',
      `cannot ${attempt}: this kernel has no vxlan links; it needs CONFIG_VXLAN (module vxlan)`,
      { cause: refusal },
    );
  }
  return refused(attempt, refusal);
}
