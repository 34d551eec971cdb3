/**
 * The fields of every kind of resource, as values: what a plan of somebody else's driver is read by before anything acts on it.
 */
import { isAddress, parseInterface, parsePrefix } from '../model/address.ts';
import { parseMac } from '../model/mac.ts';
import { checkLinkName } from '../model/names.ts';
import type { Resource } from './resource.ts';

type KindOf<K extends Resource['kind']> = Extract<Resource, { readonly kind: K }>;

interface Field {
  /** What is expected, in words: "an address". */
  readonly words: string;
  readonly fits: (value: unknown) => boolean;
  readonly optional?: true;
}

type ShapeOf<R> = { readonly [F in Exclude<keyof R, 'kind'>]-?: Field };

/** Whether `read` takes a text. */
const readable =
  (read: (text: string) => unknown) =>
  (value: unknown): boolean => {
    if (typeof value !== 'string') return false;
    try {
      return read(value) !== undefined;
    } catch {
      return false;
    }
  };

const oneOf = (...values: readonly (string | number)[]): Field => ({
  words: values.join(' or '),
  fits: (value) => values.some((one) => one === value),
});
const whole = (least: number, most: number): Field => ({
  words: `a whole number from ${least} to ${most}`,
  fits: (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
});

const text: Field = { words: 'a text', fits: (value) => typeof value === 'string' };
const flag: Field = { words: 'true or false', fits: (value) => typeof value === 'boolean' };
const link: Field = { words: 'the name of a link', fits: readable(checkLinkName) };
const links: Field = {
  words: 'a list of names of links',
  fits: (value) => Array.isArray(value) && value.every(link.fits),
};
const list: Field = { words: 'a list', fits: Array.isArray };
const texts: Field = {
  words: 'texts by name',
  fits: (value) =>
    typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string'),
};
const mac: Field = { words: 'a MAC', fits: readable(parseMac) };
const address: Field = { words: 'an address', fits: (value) => typeof value === 'string' && isAddress(value) };
const prefix: Field = { words: 'a subnet without host bits', fits: readable(parsePrefix) };
const interfaceAddress: Field = { words: 'an address with a length', fits: readable(parseInterface) };
const family = oneOf(4, 6);
const mtu = whole(68, 65_535);
const port = whole(1, 65_535);
const table = whole(1, 2 ** 32 - 1);
const bytes = whole(1, Number.MAX_SAFE_INTEGER);
const place: Field = {
  words: '"host" or { sandbox }',
  fits: (value) =>
    value === 'host' ||
    (typeof value === 'object' && value !== null && 'sandbox' in value && typeof value.sandbox === 'string'),
};
const optional = (field: Field): Field => ({ ...field, optional: true });
/** The engine's to say, not a driver's. */
const engines: Field = { words: 'nothing', fits: () => false, optional: true };

/** A kind without a shape does not compile. */
const SHAPES: { readonly [K in Resource['kind']]: ShapeOf<KindOf<K>> } = {
  bridge: { name: link, mtu, mac: optional(mac), adopted: flag, multicastSnooping: optional(flag), tag: text },
  veth: {
    sandbox: text,
    host: link,
    peer: link,
    master: optional(link),
    mtu,
    mac,
    hairpin: flag,
    isolated: flag,
    tag: text,
    handOver: engines,
    tuning: engines,
  },
  macvlan: {
    place,
    name: link,
    parent: link,
    mode: oneOf('bridge', 'private', 'vepa', 'passthru'),
    mac: optional(mac),
    mtu: optional(mtu),
    tag: text,
    handOver: engines,
    tuning: engines,
  },
  ipvlan: {
    place,
    name: link,
    parent: link,
    mode: oneOf('l2', 'l3', 'l3s'),
    flag: oneOf('bridge', 'private', 'vepa'),
    mtu: optional(mtu),
    tag: text,
    handOver: engines,
    tuning: engines,
  },
  vlan: { name: link, parent: link, id: whole(1, 4094), tag: text },
  dummy: { name: link, tag: text },
  vxlan: {
    name: link,
    vni: whole(1, 2 ** 24 - 1),
    port,
    local: address,
    master: optional(link),
    mtu,
    mac,
    tag: text,
  },
  fdb: { link, mac, vtep: address },
  ifb: { name: link, tag: text },
  'token-bucket': { link, bytesPerSecond: bytes, burstBytes: bytes, limitBytes: bytes },
  redirect: { link, to: link },
  neighbour: { place, link, address, mac },
  'plugin-network': {
    plugin: text,
    networkId: text,
    scope: oneOf('local', 'global'),
    pools: list,
    options: texts,
    internal: flag,
  },
  'plugin-endpoint': {
    plugin: text,
    networkId: text,
    endpointId: text,
    sandbox: text,
    link,
    mac,
    addresses: list,
    gateways: list,
    options: texts,
    tag: text,
  },
  'link-up': { place, link },
  address: { place, link, address: interfaceAddress },
  route: {
    place,
    family,
    destination: prefix,
    link,
    via: optional(address),
    onLink: optional(flag),
    table: optional(table),
    metric: optional(whole(0, 2 ** 32 - 1)),
    source: optional(address),
  },
  rule: { place, family, from: prefix, table, priority: whole(0, 2 ** 32 - 1) },
  sysctl: { place, key: text, value: text, mode: oneOf('set', 'require', 'prefer') },
  isolate: {
    family,
    bridge: link,
    subnet: prefix,
    trustedLinks: links,
    allowDirect: flag,
    unprotected: flag,
    icmp: optional(flag),
  },
  internal: { family, bridge: link, subnet: prefix },
  icc: { family, bridge: link, allow: flag, internal: flag },
  masquerade: { family, bridge: link, subnet: prefix, to: optional(address), keepWithin: optional(flag) },
  hairpin: { family, bridge: link, subnet: prefix },
  branch: { family, bridge: link, subnet: prefix, link },
  'vtep-guard': { family, port, local: address },
  vtep: { family, port, address },
  publish: {
    family,
    bridge: link,
    protocol: oneOf('tcp', 'udp', 'sctp'),
    hostAddress: address,
    hostPort: port,
    containerPort: port,
    count: whole(1, 65_535),
    to: address,
    mode: oneOf('nat', 'routed'),
    direct: optional(flag),
  },
};

/** What keeps a value from being a resource: "a veth whose mtu is missing: expected …"; undefined when it is one. */
export function shapeFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `${String(value)} is no resource`;
  const { kind, ...fields } = value as Readonly<Record<string, unknown>>;
  if (typeof kind !== 'string' || !Object.hasOwn(SHAPES, kind)) {
    return `there is no resource kind "${String(kind)}"; kinds: ${Object.keys(SHAPES).join(', ')}`;
  }
  const shape: Readonly<Record<string, Field>> = SHAPES[kind as Resource['kind']];
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(shape, name));
  if (unknown !== undefined) return `a ${kind} has no field "${unknown}"; fields: ${Object.keys(shape).join(', ')}`;
  for (const [name, field] of Object.entries(shape)) {
    const given = fields[name];
    if (given === undefined ? field.optional === true : field.fits(given)) continue;
    return `a ${kind} whose ${name} is ${given === undefined ? 'missing' : JSON.stringify(given)}: expected ${field.words}`;
  }
  return undefined;
}
