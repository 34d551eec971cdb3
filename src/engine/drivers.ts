/**
 * The drivers that there are, whoever wrote them: built in, named in daemon.json, or a Docker plugin.
 */
import { TsnetError } from '../model/error.ts';
import { nearestName } from '../model/names.ts';
import type { Network } from '../model/records.ts';
import type { Driver } from '../plan/driver.ts';

/** One driver, or what should have been one. */
export interface DriverReport {
  readonly name: string;
  /** Unknown where it could not be used. */
  readonly scope?: 'local' | 'global';
  /** "built in", the file or package, the socket of a Docker plugin. */
  readonly source: string;
  /** Kinds of link that its networks stand on. */
  readonly linkKinds?: readonly string[];
  /** Why it cannot be used. */
  readonly problem?: string;
}

export interface Drivers {
  /** A driver of this process. Those of daemon.json are loaded when a name is asked for that is not a built-in one's. */
  named(name: string): Driver | undefined;
  /**
   * The driver of a network on record, without asking anybody: a Docker plugin's is made from the record, so that a dead
   * plugin is in the way of its own networks only, and only where it is needed.
   */
  of(network: Network): Driver | undefined;
  /** As `named`, Docker plugins included. Rejects where there is such a plugin and it does not answer. */
  find(name: string): Promise<Driver | undefined>;
  report(): Promise<readonly DriverReport[]>;
}

/** Drivers that are there from the start, and no others. */
export function givenDrivers(drivers: readonly Driver[]): Drivers {
  const named = (name: string): Driver | undefined => drivers.find((driver) => driver.name === name);
  return {
    named,
    of: ({ driver }) => named(driver),
    find: (name) => Promise.resolve(named(name)),
    report: () => Promise.resolve(drivers.map((driver) => driverReport(driver, 'built in'))),
  };
}

export function driverReport({ name, scope, linkKinds }: Driver, source: string): DriverReport {
  return { name, scope, source, ...(linkKinds === undefined ? {} : { linkKinds }) };
}

/** The error for a name that no driver has: it names those that there are, and those that cannot be used with the reason. */
export async function noSuchDriver(drivers: Drivers, name: string, act: string): Promise<TsnetError> {
  const known = await drivers.report();
  const usable = known.flatMap((driver) => (driver.problem === undefined ? [driver.name] : []));
  const near = nearestName(name, usable);
  const unusable = known.flatMap(({ problem }) => problem ?? []);
  return new TsnetError(
    'NOT_FOUND',
    [
      `${act}: there is no driver "${name}"`,
      ...(near === undefined ? [] : [`did you mean "${near}"?`]),
      `drivers: ${usable.join(', ')}`,
      ...unusable,
    ].join('; '),
  );
}
