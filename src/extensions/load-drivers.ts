/**
 * Loads the drivers that daemon.json names: `"drivers": ["/path/driver.js", "./beside-the-file.js", "a-package"]`.
 *
 * A file may be an ES module or CommonJS: Node.js loads both by `require` (modules that wait at their top level apart). A module
 * that cannot be used is answered with the reason and harms nobody else.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { checkDriver } from '../plan/check-driver.ts';
import type { Driver } from '../plan/driver.ts';
import * as driverApi from '../public/driver.ts';
import { guardedDriver } from './guarded-driver.ts';

export interface LoadRequest {
  /** The values of daemon.json's key. */
  readonly drivers: readonly string[];
  /** Folder that relative paths and packages are looked for from: daemon.json's. */
  readonly folder: string;
  /** Names that are taken. */
  readonly builtIn: readonly string[];
}

export interface LoadedDriver {
  readonly source: string;
  readonly driver: Driver;
}

export interface UnusableDriver {
  readonly source: string;
  readonly error: TsnetError;
}

export interface LoadedDrivers {
  readonly usable: readonly LoadedDriver[];
  readonly unusable: readonly UnusableDriver[];
}

export function loadDrivers({ drivers, folder, builtIn }: LoadRequest): LoadedDrivers {
  const usable: LoadedDriver[] = [];
  const unusable: UnusableDriver[] = [];
  for (const source of drivers) {
    try {
      const driver = checkDriver(exported(load(source, folder)), source);
      refuseTakenName(driver.name, source, builtIn, usable);
      usable.push({ source, driver: guardedDriver(driver, source) });
    } catch (error) {
      unusable.push({ source, error: refusal(source, error) });
    }
  }
  return { usable, unusable };
}

/** A path starts with "/" or "."; all else is a package, found as if imported from beside daemon.json, or else from beside tsnet. */
function load(source: string, folder: string): unknown {
  const require = createRequire(path.join(folder, 'daemon.json'));
  if (/^\.{0,2}\//.test(source)) return require(path.resolve(folder, source));
  let file: string;
  try {
    file = require.resolve(source);
  } catch (error) {
    try {
      file = createRequire(import.meta.url).resolve(source);
    } catch {
      throw error;
    }
  }
  return require(file);
}

/**
 * The default export, or what a CommonJS module exports. A function is handed the API: so a file that stands alone needs no
 * package of ours beside it.
 */
function exported(module: unknown): unknown {
  const value = typeof module === 'object' && module !== null && 'default' in module ? module.default : module;
  return typeof value === 'function' ? (value as (api: typeof driverApi) => unknown)(driverApi) : value;
}

function refuseTakenName(
  name: string,
  source: string,
  builtIn: readonly string[],
  usable: readonly LoadedDriver[],
): void {
  const other = usable.find(({ driver }) => driver.name === name);
  if (!builtIn.includes(name) && other === undefined) return;
  const holder = other === undefined ? 'a built-in driver' : other.source;
  throw new TsnetError(
    'DRIVER',
    `load driver ${source}: its name "${name}" is that of ${holder}; rename it, or take one of them out of daemon.json`,
  );
}

function refusal(source: string, error: unknown): TsnetError {
  if (error instanceof TsnetError) return error;
  return new TsnetError('DRIVER', `load driver ${source}: ${why(error)}`, { cause: error });
}

function why(error: unknown): string {
  const message = (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).split('\n')[0] ?? '';
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_REQUIRE_ASYNC_MODULE') return 'it waits at its top level; a driver must be there at once';
  if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') {
    return `it failed while it was loaded (${message}); mend it, or take it out of daemon.json`;
  }
  return /'tsnet(\/[a-z-]+)?'/.test(message)
    ? `it imports tsnet, which is not installed beside it; npm install it there, or export a function instead, which is handed the API: export default ({ defineDriver }) => …`
    : `${message}; mend the path, or take it out of daemon.json`;
}
