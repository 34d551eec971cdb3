/**
 * The drivers of the command line: the built-in ones, those that daemon.json names, loaded at the first need, and Docker plugins.
 */
import path from 'node:path';
import { BUILT_IN_DRIVERS } from '../../drivers/index.ts';
import { remoteDriver, remoteDriverOf } from '../../drivers/remote/driver.ts';
import { openPlugins, type DockerPlugins } from '../docker-plugins/open-plugins.ts';
import { driverReport, givenDrivers, type DriverReport, type Drivers } from '../engine/drivers.ts';
import { loadDrivers, type LoadedDrivers } from '../extensions/load-drivers.ts';
import type { Config } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { Driver } from '../plan/driver.ts';

/** For a list of what there is nobody waits for a plugin that is not running. */
const AT_ONCE = { connectMs: 0, answerMs: 2000 };

export function openDrivers(config: Config, plugins: DockerPlugins): Drivers {
  const builtIn = givenDrivers(BUILT_IN_DRIVERS);
  let loaded: LoadedDrivers | undefined;
  const others = (): LoadedDrivers =>
    (loaded ??= loadDrivers({
      drivers: config.drivers,
      folder: path.dirname(path.resolve(config.file ?? '.')),
      builtIn: BUILT_IN_DRIVERS.map(({ name }) => name),
    }));
  const named = (name: string): Driver | undefined =>
    builtIn.named(name) ?? others().usable.find(({ driver }) => driver.name === name)?.driver;

  return {
    named,
    of: (network) => remoteDriverOf(network) ?? named(network.driver),
    find: async (name) => {
      const here = named(name);
      if (here !== undefined) return here;
      const plugin = await plugins.capabilities(name);
      return plugin === undefined ? undefined : remoteDriver(name, plugin);
    },
    report: async () => [
      ...(await builtIn.report()),
      ...others().usable.map(({ driver, source }) => driverReport(driver, source)),
      ...others().unusable.map(({ source, error }): DriverReport => ({ name: source, source, problem: error.message })),
      ...(await pluginReports()),
    ],
  };
}

async function pluginReports(): Promise<DriverReport[]> {
  const plugins = openPlugins({ times: AT_ONCE });
  const reports = plugins.names().map(async (name): Promise<DriverReport[]> => {
    try {
      const found = await plugins.capabilities(name);
      return found === undefined ? [] : [{ name, scope: found.scope, source: `Docker plugin ${found.source}` }];
    } catch (error) {
      // A volume plugin is none of ours.
      if (error instanceof TsnetError && error.code === 'UNSUPPORTED') return [];
      return [{ name, source: 'Docker plugin', problem: error instanceof Error ? error.message : String(error) }];
    }
  });
  return (await Promise.all(reports)).flat();
}
