/**
 * Kernel parameters below /proc/sys, read first and written only when different.
 *
 * /proc/sys/net shows the namespace of the thread that opens a file, so a sandbox's are read from inside it.
 */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { Place, SysctlResource } from '../plan/resource.ts';
import { byPlace, type Executor } from './executor.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import { linkOfParameter, linkParameter } from './link-parameters.ts';
import { observePlaces } from './observe-places.ts';
import type { Scene } from './scene.ts';
import { seenLinks } from './seen-links.ts';

/** Told when a parameter that concerns more than a link of ours was changed on the host. */
export type SysctlChanged = (key: string, before: string, now: string) => void;

/** Parameters of one link; they go with it. */
const OF_A_LINK = /^net\/ipv[46]\/(conf|neigh)\/(?!all\/|default\/)[^/]+\//;

export function sysctlExecutor(onChanged: SysctlChanged): Executor<'sysctl'> {
  return {
    async ensure(resources, scene) {
      for (const [place, parameters] of byPlace(resources)) {
        await scene.inside(place, () => {
          for (const parameter of parameters) ensureOne(parameter, scene.describe(place), onChanged);
        });
      }
    },

    /** Those of a link go with the link; what is global may serve others by now. */
    remove: () => Promise.resolve([]),

    observe: (resources, scene) =>
      observePlaces(resources, scene, async (place, parameters) => {
        const told = await toldWithLinks(place, parameters, scene);
        const isTold = ({ key }: SysctlResource): boolean => told.has(key);
        if (parameters.every(isTold)) return parameters.map((each) => compare(each, told.get(each.key)));
        return scene.inside(place, () => parameters.map((each) => compare(each, told.get(each.key) ?? read(each.key))));
      }),
  };
}

function ensureOne(parameter: SysctlResource, where: string, onChanged: SysctlChanged): void {
  const { key, value, mode, place } = parameter;
  const opened = mode === 'require' ? undefined : openToChange(key);
  try {
    const before = opened === undefined ? read(key) : normal(readFileSync(opened, 'utf8'));
    if (before === undefined) {
      if (mode === 'prefer') return;
      throw new TsnetError('UNSUPPORTED', `cannot set ${key} in ${where}: this kernel has no such parameter`);
    }
    if (before === normal(value)) return;
    if (mode === 'require') {
      throw new TsnetError(
        'FORBIDDEN',
        `${key} in ${where} is ${before} and must be ${value}, and the configuration forbids to change it; set it with sysctl -w ${key.replaceAll('/', '.')}=${value}`,
      );
    }
    try {
      if (opened === undefined) writeFileSync(file(key), value);
      else writeSync(opened, value, 0);
    } catch (error) {
      throw refused(`set ${key} to ${value} in ${where}`, error);
    }
    if (isGlobal(place, key)) onChanged(key, before, value);
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

/**
 * Open once to read and to write: the kernel keeps the parameters of all namespaces under the same names, and finds its way
 * among them the slower the more there are. Undefined where it cannot be written, or is not there.
 */
function openToChange(key: string): number | undefined {
  try {
    return openSync(file(key), 'r+');
  } catch {
    return undefined;
  }
}

/** Values of a sandbox's parameters that rtnetlink tells with their links. */
async function toldWithLinks(
  place: Place,
  parameters: readonly SysctlResource[],
  scene: Scene,
): Promise<ReadonlyMap<string, string>> {
  if (place === 'host') return new Map();
  const wanted = parameters.flatMap(({ key }) => {
    const link = linkOfParameter(key);
    return link === undefined ? [] : [{ key, link }];
  });
  if (wanted.length === 0) return new Map();
  const links = await seenLinks(
    scene,
    place,
    wanted.map(({ link }) => link),
  );
  return new Map(
    wanted.flatMap(({ key }, index) => {
      const link = links[index];
      const value = link && linkParameter(link, key);
      return value === undefined ? [] : [[key, value] as const];
    }),
  );
}

function compare(resource: SysctlResource, now: string | undefined): Observation {
  if (now === undefined) {
    const unknown = resource.mode === 'prefer' && !linkIsGone(resource.key);
    return { resource, state: unknown ? 'present' : 'missing' };
  }
  if (now === normal(resource.value)) return { resource, state: 'present' };
  return { resource, state: 'wrong', detail: `${resource.key} is ${now} instead of ${resource.value}` };
}

/** Whether the parameter is not there because its link is not: it will be wanted when the link is back. */
function linkIsGone(key: string): boolean {
  const link = OF_A_LINK.exec(key)?.[0];
  return link !== undefined && !existsSync(file(link)) && existsSync(file(path.dirname(link)));
}

function isGlobal(place: Place, key: string): boolean {
  return place === 'host' && !OF_A_LINK.test(key);
}

/** A parameter of the host; undefined where the kernel has none of this name. Throws TsnetError. */
export function readParameter(key: string): string | undefined {
  return read(key);
}

/** Undefined when the kernel has no such parameter. */
function read(key: string): string | undefined {
  try {
    return normal(readFileSync(file(key), 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw refused(`read ${key}`, error);
  }
}

/** Values of several numbers are separated by tabs when read and by blanks when written. */
function normal(value: string): string {
  return value.trim().replace(/\s+/g, ' ');
}

function file(key: string): string {
  return `/proc/sys/${key}`;
}
