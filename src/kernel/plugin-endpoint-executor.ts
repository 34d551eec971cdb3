/**
 * Endpoints in Docker network plugins: the plugin makes a link in the host's namespace, we move it into the sandbox.
 *
 *     CreateEndpoint, Join → SrcName on the host → moved, renamed, addresses, MAC, up, routes
 *     moved back under its old name → Leave, DeleteEndpoint → the plugin deletes it
 *
 * The link's alias is our tag and the name that the plugin gave it, so that whoever removes it knows what to call it.
 */
import { closeSync, openSync } from 'node:fs';
import { familyOf } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import {
  isRefusal,
  type NetworkPlugin,
  type NetworkPlugins,
  type PluginEndpointAnswer,
  type PluginJoinAnswer,
} from '../plan/network-plugin.ts';
import type { PluginEndpointResource } from '../plan/plugin-resource.ts';
import type { Place } from '../plan/resource.ts';
import { prefixBytes } from './address-bytes.ts';
import { addAddress } from './address-message.ts';
import { observed, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import { deleteLink, moveLink, setLink, type Link } from './link-message.ts';
import { addRoute, RT_TABLE_MAIN } from './route-message.ts';
import { findLinks, isGone, type Scene } from './scene.ts';
import { accepting, take, tryAll } from './steps.ts';

export function pluginEndpointExecutor(plugins: NetworkPlugins): Executor<'plugin-endpoint'> {
  /** Endpoints that this process began and did not finish, with the link that the plugin made so far. */
  const unfinished = new Map<string, string | undefined>();

  const ensureOne = async (resource: PluginEndpointResource, scene: Scene): Promise<void> => {
    const place = { sandbox: resource.sandbox };
    const [there] = await findLinks(scene, place, [resource.link]);
    if (there !== undefined) {
      if (sourceOf(there, resource) === undefined) throw nameTaken(resource, scene);
      await setUp(resource, there, scene);
      return;
    }
    const plugin = plugins(resource.plugin);
    unfinished.set(resource.endpointId, undefined);
    const created = await createAnew(plugin, resource);
    const joined = await plugin.join(resource, scene.path(resource.sandbox));
    unfinished.set(resource.endpointId, joined.sourceLink);
    refuseOtherGateways(resource, joined);
    const link = await moveIn(resource, joined, scene);
    await setUp(resource, link, scene);
    await configure(resource, link, [created, joined], scene);
    unfinished.delete(resource.endpointId);
  };

  const removeOne = async (resource: PluginEndpointResource, scene: Scene): Promise<TsnetError[]> => {
    const source = (await moveBack(resource, scene)) ?? unfinished.get(resource.endpointId);
    const plugin = plugins(resource.plugin);
    const failures: TsnetError[] = [];
    for (const tell of [plugin.leave, plugin.deleteEndpoint]) {
      await tell(resource).catch((error: unknown) => {
        // A plugin that answers has nothing more to give: it never had the endpoint, or is rid of it.
        if (!isRefusal(error)) failures.push(refused(`tell plugin ${resource.plugin}`, error));
      });
    }
    if (!unfinished.delete(resource.endpointId) || failures.length === 0) return failures;
    // It died while it made the endpoint: nobody else will take its link away.
    return source === undefined ? [] : deleteByName(source, scene);
  };

  return {
    async ensure(resources, scene) {
      for (const resource of resources) await ensureOne(resource, scene);
    },

    async remove(resources, scene) {
      const failures: TsnetError[] = [];
      for (const resource of resources) failures.push(...(await removeOne(resource, scene)));
      return failures;
    },

    async observe(resources, scene) {
      const observations: Observation[] = [];
      for (const resource of resources) observations.push(await observeOne(resource, scene));
      return observations;
    },
  };
}

async function observeOne(resource: PluginEndpointResource, scene: Scene): Promise<Observation> {
  try {
    const [link] = await findLinks(scene, { sandbox: resource.sandbox }, [resource.link]);
    if (link === undefined) return { resource, state: 'missing' };
    if (sourceOf(link, resource) === undefined) {
      return observed(resource, [`${link.name} is not ours: alias "${link.alias ?? ''}"`]);
    }
    return observed(resource, [
      ...(link.mac === resource.mac ? [] : [`MAC of ${link.name} is ${link.mac} instead of ${resource.mac}`]),
      ...(link.up ? [] : [`${link.name} is down`]),
    ]);
  } catch (error) {
    if (isGone(error)) return { resource, state: 'missing' };
    throw error;
  }
}

/** What the plugin called the link; undefined for a link that is not this endpoint's. */
function sourceOf(link: Link, { tag }: PluginEndpointResource): string | undefined {
  const [marked, source] = link.alias?.split(' ') ?? [];
  return marked === tag ? source : undefined;
}

/** A plugin may know the endpoint already: of a link that somebody deleted, of a tsnet that was killed. It is told to forget it. */
async function createAnew(plugin: NetworkPlugin, resource: PluginEndpointResource): Promise<PluginEndpointAnswer> {
  try {
    return await plugin.createEndpoint(resource);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    try {
      await plugin.leave(resource).catch(() => undefined);
      await plugin.deleteEndpoint(resource);
    } catch {
      throw error;
    }
    return plugin.createEndpoint(resource);
  }
}

/** The default route is made from the network's gateway: a plugin that wants another would be left without one. */
function refuseOtherGateways({ plugin, gateways }: PluginEndpointResource, joined: PluginJoinAnswer): void {
  for (const wanted of joined.gateways) {
    const ours = gateways.find((gateway) => familyOf(gateway) === familyOf(wanted));
    if (ours === undefined || ours === wanted) continue;
    throw new TsnetError(
      'DRIVER',
      `plugin ${plugin}: Join: it wants the gateway ${wanted} and the network's is ${ours}; create the network with --gateway ${wanted}`,
    );
  }
}

async function moveIn(resource: PluginEndpointResource, { sourceLink }: PluginJoinAnswer, scene: Scene): Promise<Link> {
  const { plugin, link, sandbox } = resource;
  const place: Place = { sandbox };
  const [source] = sourceLink === undefined ? [] : await findLinks(scene, 'host', [sourceLink]);
  if (source === undefined) {
    const what = sourceLink === undefined ? 'it named no link' : `the link ${sourceLink} that it named is not there`;
    throw new TsnetError('DRIVER', `plugin ${plugin}: Join: ${what}`);
  }
  const attempt = `move ${source.name} into ${scene.describe(place)} as ${link}`;
  const request = moveLink(source.index, scene.namespaceFile(sandbox), link);
  await take(scene.host, [{ attempt, request }]);
  const mark = { attempt, request: setLink(link, { alias: `${resource.tag} ${source.name}` }) };
  await take(await scene.socket(place), [mark]);
  const [moved] = await findLinks(scene, place, [link]);
  if (moved !== undefined) return moved;
  throw new TsnetError('KERNEL', `cannot ${attempt}: it disappeared as soon as it was moved`);
}

async function setUp(resource: PluginEndpointResource, link: Link, scene: Scene): Promise<void> {
  if (link.up && link.mac === resource.mac) return;
  const place: Place = { sandbox: resource.sandbox };
  const attempt = `set up ${resource.link} in ${scene.describe(place)}`;
  const change = { up: true, ...(link.mac === resource.mac ? {} : { mac: resource.mac }) };
  await take(await scene.socket(place), [{ attempt, request: setLink(link.index, change) }]);
}

/** Addresses, and the plugin's routes, which stand on them. */
async function configure(
  resource: PluginEndpointResource,
  link: Link,
  [created, joined]: readonly [PluginEndpointAnswer, PluginJoinAnswer],
  scene: Scene,
): Promise<void> {
  const place: Place = { sandbox: resource.sandbox };
  const where = `${resource.link} in ${scene.describe(place)}`;
  await take(await scene.socket(place), [
    ...[...resource.addresses, ...created.addresses].map((address) =>
      accepting('EEXIST', {
        attempt: `add address ${address} to ${where}`,
        request: addAddress(link.index, prefixBytes(address)),
      }),
    ),
    ...joined.routes.map(({ destination, via }) =>
      accepting('EEXIST', {
        attempt: `add route ${destination}${via === undefined ? '' : ` via ${via}`} dev ${where}`,
        request: addRoute({ family: familyOf(destination), destination, table: RT_TABLE_MAIN, link: link.index, via }),
      }),
    ),
  ]);
}

/** Gives the link back to the host; the name that the plugin knows it by. Undefined when there is none in the sandbox. */
async function moveBack(resource: PluginEndpointResource, scene: Scene): Promise<string | undefined> {
  const place: Place = { sandbox: resource.sandbox };
  const socket = await scene.socketIfThere(place);
  if (socket === undefined) return undefined;
  const [link] = await findLinks(scene, place, [resource.link]);
  const source = link === undefined ? undefined : sourceOf(link, resource);
  if (link === undefined || source === undefined) return undefined;
  const attempt = `move ${resource.link} in ${scene.describe(place)} back as ${source}`;
  const host = openSync('/proc/self/ns/net', 'r');
  try {
    await take(socket, [
      { attempt, request: setLink(link.index, { alias: '' }) },
      { attempt, request: moveLink(link.index, host, source) },
    ]);
  } finally {
    closeSync(host);
  }
  return source;
}

async function deleteByName(name: string, scene: Scene): Promise<TsnetError[]> {
  const [link] = await findLinks(scene, 'host', [name]);
  if (link === undefined) return [];
  return tryAll(scene.host, [{ attempt: `delete ${name}`, request: deleteLink(link.index) }], ['ENODEV']);
}

function nameTaken({ link, sandbox }: PluginEndpointResource, scene: Scene): TsnetError {
  return new TsnetError(
    'CONFLICT',
    `cannot create ${link} in ${scene.describe({ sandbox })}: a link of that name is there already; name another interface or delete that one`,
  );
}
