/**
 * Results: read in any version, kept in the form of the newest, printed in the version of the configuration.
 *
 * What other plugins put into a result stays in it, as far as the version knows the field.
 */
import type { JsonObject, JsonValue } from '../../model/records.ts';
import { fieldsOf, objectAt, objectsAt, rawObjectAt, textAt, textsAt, type Fields } from './fields.ts';
import { isAtLeast, type CniVersion } from './spec-version.ts';

export interface CniInterface extends JsonObject {
  readonly name: string;
}

export interface CniIp extends JsonObject {
  /** "10.1.0.5/16" */
  readonly address: string;
}

export interface CniRoute extends JsonObject {
  readonly dst: string;
}

export interface CniDns {
  readonly nameservers: readonly string[];
  readonly domain?: string;
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: CniDns;
  /** Members that no version names. */
  readonly others: JsonObject;
}

export const NO_DNS: CniDns = { nameservers: [], search: [], options: [] };
export const NO_RESULT: CniResult = { interfaces: [], ips: [], routes: [], dns: NO_DNS, others: {} };

const MEMBERS = ['cniversion', 'interfaces', 'ips', 'routes', 'dns', 'ip4', 'ip6'];

type Having<K extends string> = JsonObject & Readonly<Record<K, string>>;

/** A result of any version. @throws CniError 6 */
export function readResult(raw: JsonObject, where: string): CniResult {
  const fields = fieldsOf(raw, where);
  const old = [...oldAddress(fields, 'ip4'), ...oldAddress(fields, 'ip6')];
  const list = <K extends string>(key: string, needs: K): Having<K>[] =>
    objectsAt(fields, key).flatMap((item, index) => {
      const text = textAt(item, needs);
      const object = (fields.value(key) as readonly JsonObject[])[index];
      return text === undefined || object === undefined ? [] : [{ ...object, [needs]: text } as Having<K>];
    });
  return {
    interfaces: list('interfaces', 'name'),
    ips: [...old.map(({ ip }) => ip), ...list('ips', 'address').map(withoutVersion)],
    routes: [...old.flatMap(({ routes }) => routes), ...list('routes', 'dst')],
    dns: readDns(objectAt(fields, 'dns')),
    others: Object.fromEntries(Object.entries(raw).filter(([key]) => !MEMBERS.includes(key.toLowerCase()))),
  };
}

/** As results of the first versions had an address: one a family, with its routes. */
function oldAddress(
  fields: Fields,
  key: 'ip4' | 'ip6',
): { readonly ip: CniIp; readonly routes: readonly CniRoute[] }[] {
  if (rawObjectAt(fields, key) === undefined) return [];
  const one = objectAt(fields, key);
  const address = textAt(one, 'ip');
  if (address === undefined) return [];
  const gateway = textAt(one, 'gateway');
  const routes = objectsAt(one, 'routes').flatMap((route): CniRoute[] => {
    const [dst, gw] = [textAt(route, 'dst'), textAt(route, 'gw')];
    return dst === undefined ? [] : [{ dst, ...(gw === undefined ? {} : { gw }) }];
  });
  return [{ ip: { address, ...(gateway === undefined ? {} : { gateway }) }, routes }];
}

function withoutVersion({ version: _version, ...ip }: CniIp): CniIp {
  return ip;
}

export function readDns(fields: Fields): CniDns {
  const domain = textAt(fields, 'domain');
  return {
    nameservers: textsAt(fields, 'nameservers'),
    ...(domain === undefined ? {} : { domain }),
    search: textsAt(fields, 'search'),
    options: textsAt(fields, 'options'),
  };
}

/** The result in the form of `version`. */
export function printedResult(result: CniResult, version: CniVersion): JsonObject {
  const dns = printedDns(result.dns);
  if (!isAtLeast(version, '0.3.0'))
    return { cniVersion: version, ...oldForm(result), ...(dns === undefined ? {} : { dns }) };
  const isNewest = isAtLeast(version, '1.1.0');
  const interfaces = result.interfaces.map((one) => (isNewest ? one : without(one, ['mtu', 'socketPath', 'pciID'])));
  const ips = result.ips.map((ip) => (isAtLeast(version, '1.0.0') ? ip : { version: familyWord(ip.address), ...ip }));
  const routes = result.routes.map((route) =>
    isNewest ? route : without(route, ['mtu', 'advmss', 'priority', 'table', 'scope']),
  );
  return {
    cniVersion: version,
    ...(interfaces.length === 0 ? {} : { interfaces }),
    ...(ips.length === 0 ? {} : { ips }),
    ...(routes.length === 0 ? {} : { routes }),
    ...(dns === undefined ? {} : { dns }),
    ...result.others,
  };
}

/** The first address of each family; a container had one interface then. */
function oldForm({ ips, routes }: CniResult): JsonObject {
  const of = (word: '4' | '6'): JsonObject => {
    const ip = ips.find(({ address }) => familyWord(address) === word);
    if (ip === undefined) return {};
    const gateway = ip['gateway'];
    const own = routes.filter(({ dst }) => familyWord(dst) === word).map((route) => only(route, ['dst', 'gw']));
    return {
      [`ip${word}`]: {
        ip: ip.address,
        ...(gateway === undefined ? {} : { gateway }),
        ...(own.length === 0 ? {} : { routes: own }),
      },
    };
  };
  return { ...of('4'), ...of('6') };
}

function printedDns({ nameservers, domain, search, options }: CniDns): JsonObject | undefined {
  const dns: JsonObject = {
    ...(nameservers.length === 0 ? {} : { nameservers }),
    ...(domain === undefined ? {} : { domain }),
    ...(search.length === 0 ? {} : { search }),
    ...(options.length === 0 ? {} : { options }),
  };
  return Object.keys(dns).length === 0 ? undefined : dns;
}

function familyWord(address: string): '4' | '6' {
  return address.includes(':') ? '6' : '4';
}

function without(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

function only(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));
}

/** The index of an interface that an address belongs to. */
export function interfaceOf(ip: CniIp): number | undefined {
  const index: JsonValue | undefined = ip['interface'];
  return typeof index === 'number' ? index : undefined;
}
