/**
 * What a container's annotations ask for:
 *
 *     tsnet.networks=web,db            the networks, in order; the first gives the default route
 *     tsnet.publish=8080:80,53:53/udp  ports, as `tsnet connect -p` takes them
 *     tsnet.ip=10.77.0.9,fd00::9       addresses
 *     tsnet.aliases=www,api            further names
 *     tsnet.mac, tsnet.interface       of the container's end
 *     tsnet.name                       the sandbox's name
 *
 * A value may name its network in front: `tsnet.ip=web=10.77.0.9,db=10.78.0.9`. One that does not is for the first network; aliases
 * are for all.
 */
import type { AttachOptions } from '../../engine/engine.ts';
import { familyOf } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { nearestName } from '../../model/names.ts';

export type Annotations = Readonly<Record<string, string>>;

export interface Wish {
  readonly name?: string;
  readonly attach: readonly (AttachOptions & { readonly network: string })[];
}

const PREFIX = 'tsnet.';
const KEYS = ['networks', 'publish', 'ip', 'aliases', 'mac', 'interface', 'name'] as const;
type Key = (typeof KEYS)[number];

/** Undefined where the container asks for nothing of ours. @throws TsnetError INVALID */
export function wishOf(annotations: Annotations): Wish | undefined {
  const given = ours(annotations);
  if (given.size === 0) return undefined;
  const networks = list(given.get('networks'));
  if (networks.length === 0) throw new TsnetError('INVALID', 'annotation tsnet.networks: it names no network');
  const values = (key: Key): readonly Value[] => valuesOf(key, given.get(key), networks);
  const publish = values('publish');
  const [ips, aliases, macs, interfaces] = [values('ip'), values('aliases'), values('mac'), values('interface')];
  const name = given.get('name');
  return {
    ...(name === undefined ? {} : { name }),
    attach: networks.map((network, index) => {
      const isFor = ({ of }: Value): boolean => of === network || (of === undefined && index === 0);
      const ip = only(
        'ip',
        network,
        ips.filter(isFor).filter(({ value }) => familyOf(value) === 4),
      );
      const ip6 = only(
        'ip',
        network,
        ips.filter(isFor).filter(({ value }) => familyOf(value) === 6),
      );
      const mac = only('mac', network, macs.filter(isFor));
      const interfaceName = only('interface', network, interfaces.filter(isFor));
      const ports = publish.filter(isFor).map(({ value }) => value);
      const names = aliases.filter(({ of }) => of === undefined || of === network).map(({ value }) => value);
      return {
        network,
        ...(ip === undefined ? {} : { ip }),
        ...(ip6 === undefined ? {} : { ip6 }),
        ...(mac === undefined ? {} : { mac }),
        ...(interfaceName === undefined ? {} : { interfaceName }),
        ...(ports.length === 0 ? {} : { ports }),
        ...(names.length === 0 ? {} : { aliases: names }),
      };
    }),
  };
}

/** A mistyped key would be a container without what was asked for: refused. */
function ours(annotations: Annotations): Map<Key, string> {
  const given = new Map<Key, string>();
  for (const [name, value] of Object.entries(annotations)) {
    if (!name.startsWith(PREFIX)) continue;
    const key = KEYS.find((known) => name === PREFIX + known);
    if (key === undefined) {
      const near = nearestName(name.slice(PREFIX.length), KEYS);
      const hint = near === undefined ? `known are ${KEYS.join(', ')}` : `did you mean ${PREFIX}${near}?`;
      throw new TsnetError('INVALID', `annotation ${name}: there is no such annotation; ${hint}`);
    }
    given.set(key, value);
  }
  return given;
}

function list(text = ''): string[] {
  const words = text.split(',').map((word) => word.trim());
  return [...new Set(words)].filter((word) => word !== '');
}

interface Value {
  /** The network that it is for; undefined: none was named. */
  readonly of: string | undefined;
  readonly value: string;
}

function valuesOf(key: Key, text: string | undefined, networks: readonly string[]): Value[] {
  return list(text).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) return { of: undefined, value: word };
    const of = word.slice(0, equals);
    if (networks.includes(of)) return { of, value: word.slice(equals + 1) };
    throw new TsnetError('INVALID', `annotation tsnet.${key}: "${word}": ${of} is not one of tsnet.networks`);
  });
}

function only(key: Key, network: string, values: readonly Value[]): string | undefined {
  const [first, second] = values;
  if (second === undefined) return first?.value;
  throw new TsnetError('INVALID', `annotation tsnet.${key}: more than one for network ${network}`);
}
