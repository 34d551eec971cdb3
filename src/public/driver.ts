/**
 * `tsnet/driver`: all that a driver of your own needs. `docs/drivers/writing.md` is the way through it; `examples/ptp` is a whole
 * driver.
 */
export { TsnetError, type ErrorCode } from '../model/error.ts';
export type {
  Endpoint,
  EndpointAddress,
  Family,
  JsonObject,
  JsonValue,
  Network,
  Pool,
  PublishedPort,
} from '../model/records.ts';
export {
  defineDriver,
  DRIVER_API,
  type ClusterDraft,
  type ConfigureInput,
  type Driver,
  type DriverDefaults,
  type DriverDefinition,
  type EndpointDefaults,
  type NetworkDraft,
  type OptionAliases,
  type OptionsSchema,
  type Peer,
  type Underlay,
} from '../plan/driver.ts';
export type { Facts, HostLink, HostRoute } from '../plan/kernel.ts';
export { describeResource } from '../plan/describe.ts';
export { TAG_PREFIX } from '../plan/resource.ts';
export type * from '../plan/resource.ts';
