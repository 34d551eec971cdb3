/**
 * Bridges of the host: `ip link add tsnet0 address … mtu … up type bridge`, marked by their alias.
 *
 * A bridge that somebody else made is used (`adopted`) or refused, never changed.
 */
import { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { BridgeResource } from '../plan/resource.ts';
import { observed, type Executor } from './executor.ts';
import {
  createBridge,
  deleteLink,
  floodsMulticast,
  getLink,
  setLink,
  withoutMulticastSnooping,
  type Link,
} from './link-message.ts';
import { isOurs } from './ownership.ts';
import { findLinks, linkIn, type Scene } from './scene.ts';
import { refused } from './kernel-refusal.ts';
import { take, tryAll, type Step } from './steps.ts';

export const bridgeExecutor: Executor<'bridge'> = {
  async ensure(bridges, scene) {
    const found = await findLinks(
      scene,
      'host',
      bridges.map(({ name }) => name),
    );
    const links = await createMissing(bridges, found, scene);
    const steps = bridges.flatMap((bridge, index): Step[] => {
      const link = usable(bridge, links[index]);
      if (bridge.adopted || differences(bridge, link).length === 0) return [];
      const attempt = `set up bridge ${bridge.name}`;
      return [
        { attempt, request: setLink(link.index, settings(bridge)) },
        ...(bridge.multicastSnooping === false ? [{ attempt, request: withoutMulticastSnooping(link.index) }] : []),
      ];
    });
    await take(scene.host, steps);
  },

  async remove(bridges, scene) {
    const ours = bridges.filter(({ adopted }) => !adopted);
    const links = await findLinks(
      scene,
      'host',
      ours.map(({ name }) => name),
    );
    const steps = ours.flatMap((bridge, index): Step[] => {
      const link = links[index];
      if (link === undefined || !isOurs(link, bridge)) return [];
      return [{ attempt: `delete bridge ${bridge.name}`, request: deleteLink(link.index) }];
    });
    return tryAll(scene.host, steps, ['ENODEV']);
  },

  async observe(bridges, scene) {
    const links = await findLinks(
      scene,
      'host',
      bridges.map(({ name }) => name),
    );
    return bridges.map((resource, index): Observation => {
      const link = links[index];
      if (link === undefined) return { resource, state: 'missing' };
      if (link.kind !== 'bridge') return observed(resource, [`${link.name} is not a bridge but ${kindOf(link)}`]);
      return observed(resource, resource.adopted ? [] : differences(resource, link));
    });
  },
};

/** The links as they are after the missing ones were made. */
async function createMissing(
  bridges: readonly BridgeResource[],
  found: readonly (Link | undefined)[],
  scene: Scene,
): Promise<readonly (Link | undefined)[]> {
  const missing = bridges.filter((bridge, index) => found[index] === undefined && !bridge.adopted);
  if (missing.length === 0) return found;
  const outcomes = await scene.host.batch(
    missing.flatMap((bridge) => [createBridge({ name: bridge.name, ...birth(bridge) }), getLink(bridge.name)]),
  );
  const made = new Map(
    missing.map((bridge, index) => {
      const refusal = outcomes[index * 2]?.refusal;
      // Another process was faster: what it made is looked at like any other bridge.
      if (refusal !== undefined && refusal.code !== 'EEXIST') throw refused(`create bridge ${bridge.name}`, refusal);
      const link = linkIn(outcomes[index * 2 + 1], `look for bridge ${bridge.name}`);
      if (link !== undefined) scene.remember('host', bridge.name, link.index);
      return [bridge, link];
    }),
  );
  return bridges.map((bridge, index) => found[index] ?? made.get(bridge));
}

/** The link behind a bridge resource; throws TsnetError where there is none that we may use. */
function usable(bridge: BridgeResource, link: Link | undefined): Link {
  if (link === undefined) {
    throw new TsnetError(
      'NOT_FOUND',
      `cannot use bridge ${bridge.name}: there is no such link; create it (ip link add ${bridge.name} type bridge) or name another`,
    );
  }
  if (link.kind !== 'bridge') {
    throw new TsnetError(
      'CONFLICT',
      `cannot use ${bridge.name} as a bridge: it is ${kindOf(link)}; rename that link or choose another bridge name`,
    );
  }
  if (!bridge.adopted && !isOurs(link, bridge)) {
    throw new TsnetError(
      'CONFLICT',
      `cannot create bridge ${bridge.name}: somebody else's bridge has that name; delete it or choose another bridge name`,
    );
  }
  return link;
}

function kindOf(link: Link): string {
  return link.kind === undefined ? 'a hardware or loopback interface' : `a ${link.kind} interface`;
}

function birth(bridge: BridgeResource): { readonly up: true; readonly mtu: number; readonly mac?: string } {
  return { up: true, mtu: bridge.mtu, ...(bridge.mac === undefined ? {} : { mac: bridge.mac }) };
}

function settings(bridge: BridgeResource): ReturnType<typeof birth> & { readonly alias: string } {
  return { ...birth(bridge), alias: bridge.tag };
}

function differences(bridge: BridgeResource, link: Link): string[] {
  return [
    ...(link.alias === bridge.tag ? [] : [`alias "${link.alias ?? ''}" instead of "${bridge.tag}"`]),
    ...(link.mtu === bridge.mtu ? [] : [`mtu ${link.mtu} instead of ${bridge.mtu}`]),
    ...(bridge.mac === undefined || link.mac === bridge.mac.toLowerCase()
      ? []
      : [`MAC ${link.mac} instead of ${bridge.mac}`]),
    ...(link.up ? [] : ['down']),
    ...(bridge.multicastSnooping === false && !floodsMulticast(link) ? ['multicast snooping on'] : []),
  ];
}
