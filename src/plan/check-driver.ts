/**
 * Whether a value that somebody else's module exports is a driver that this tsnet can use.
 */
import { TsnetError } from '../model/error.ts';
import { DRIVER_API, MADE_BY_DEFINE_DRIVER, type Driver } from './driver.ts';

const FUNCTIONS = ['configure', 'endpointDefaults', 'networkPlan', 'endpointPlan'] as const;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

type Unknown = Readonly<Record<PropertyKey, unknown>>;

function isObject(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What is wrong with it and what to do; undefined for a driver. */
export function driverFault(value: unknown): string | undefined {
  if (!isObject(value) || value[MADE_BY_DEFINE_DRIVER] !== true) {
    return 'it exports no driver; its default export must be what defineDriver of tsnet/driver answers';
  }
  if (value['api'] !== DRIVER_API) {
    return `it speaks driver API ${String(value['api'])} and this tsnet speaks ${DRIVER_API}; use a version of the driver, or of tsnet, that fits the other`;
  }
  const {
    name,
    scope,
    ipam,
    linkKinds = [],
    endpointLink,
    options,
    aliases,
  } = value as Partial<Readonly<Record<keyof Driver, unknown>>>;
  if (typeof name !== 'string' || !NAME.test(name)) {
    return `its name is ${String(name)}; a driver needs a name of letters, digits, "_", "." and "-"`;
  }
  if (scope !== 'local' && scope !== 'global') return 'its scope is neither "local" nor "global"';
  if (ipam !== 'pools' && ipam !== 'lan' && ipam !== 'none') return 'its ipam is none of "pools", "lan" and "none"';
  if (!Array.isArray(linkKinds) || !linkKinds.every((kind) => typeof kind === 'string')) {
    return 'its linkKinds are no list of names';
  }
  if (endpointLink !== undefined && !linkKinds.some((kind) => kind === endpointLink))
    return 'its endpointLink is none of its linkKinds';
  if (!isObject(options) || options['type'] !== 'object' || !Object.values(properties(options)).every(isObject)) {
    return 'its options are no JSON Schema of an object; write { type: "object", properties: {}, additionalProperties: false }';
  }
  if (!isObject(aliases) || !Object.values(aliases).every((alias) => typeof alias === 'string')) {
    return 'its aliases are no names of options by other names; write {} for none';
  }
  const missing = FUNCTIONS.filter((key) => typeof value[key] !== 'function');
  return missing.length === 0 ? undefined : `${missing.join(', ')} must be a function; defineDriver takes them all`;
}

/** Throws TsnetError where the value is no driver; `source` names the file or package. */
export function checkDriver(value: unknown, source: string): Driver {
  const fault = driverFault(value);
  if (fault !== undefined) throw new TsnetError('DRIVER', `load driver ${source}: ${fault}`);
  return value as Driver;
}

function properties(options: Unknown): Unknown {
  return isObject(options['properties']) ? options['properties'] : { missing: undefined };
}
