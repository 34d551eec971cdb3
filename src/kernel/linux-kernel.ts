/**
 * The kernel layer put together: walks plans, hands runs of resources to their executors.
 *
 * A plan is made link by link in its order, then its firewall intents in one transaction; it is removed the other way
 * round, so that no packet finds a way in to what is half gone.
 */
import { closeSync } from 'node:fs';
import type { Netns } from '../model/records.ts';
import type { Kernel, Namespaces, Observation } from '../plan/kernel.ts';
import { isFirewall, type FirewallResource, type LinkResource, type Plan } from '../plan/resource.ts';
import { addressExecutor } from './address-executor.ts';
import { bridgedFramesCrossFirewall } from './bridged-frames.ts';
import { bridgeExecutor } from './bridge-executor.ts';
import { forgetFlows } from './conntrack.ts';
import type { Executors } from './executor.ts';
import { readFacts, readSandboxFacts, readTaggedLinks } from './facts.ts';
import type { FirewallBackends } from './firewall-backends.ts';
import { refused } from './kernel-refusal.ts';
import { linkUpExecutor } from './link-up-executor.ts';
import { ephemeralPorts, readListeners, socketHolder } from './listeners.ts';
import { createNetns, inNetns, netnsAt, netnsInUse, openNetns, removeNetns } from './netns.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { linkOrphans, sweepLinks } from './orphan-links.ts';
import { isAlive, processIdentity } from './process-identity.ts';
import { routeExecutor } from './route-executor.ts';
import { ruleExecutor } from './rule-executor.ts';
import { ensureRun, observeRun, removeRun, runsOf, withoutWhatGoesWithItsLink } from './runs.ts';
import { Scene } from './scene.ts';
import { sysctlExecutor, type SysctlChanged } from './sysctl-executor.ts';
import { vethExecutor } from './veth-executor.ts';

export interface KernelOptions {
  readonly firewall: FirewallBackends;
  /** Whether the firewall keeps containers apart in both families where bridged frames cross it; absent: unless it is none. */
  readonly keepsApart?: boolean;
  /** Told of every parameter of the host itself that was changed. */
  readonly onSysctlChanged?: SysctlChanged;
}

export function openKernel({ firewall, keepsApart, onSysctlChanged }: KernelOptions): Kernel {
  const executors: Executors = {
    bridge: bridgeExecutor,
    veth: vethExecutor(() => (keepsApart ?? firewall.inForce() !== 'none') && bridgedFramesCrossFirewall()),
    'link-up': linkUpExecutor,
    address: addressExecutor,
    route: routeExecutor,
    rule: ruleExecutor,
    sysctl: sysctlExecutor(onSysctlChanged ?? (() => undefined)),
  };
  let hostSocket: NetlinkSocket | undefined;
  const host = (): NetlinkSocket => (hostSocket ??= openRouteSocket());

  const within = async <T>(namespaces: Namespaces, act: (scene: Scene) => Promise<T>): Promise<T> => {
    const scene = new Scene(host(), namespaces);
    try {
      return await act(scene);
    } finally {
      await scene.close();
    }
  };

  return {
    ensure: (plan, namespaces) =>
      within(namespaces, async (scene) => {
        const { links, intents } = split(plan);
        for (const run of runsOf(links)) await ensureRun(executors, run, scene);
        if (intents.length > 0) await firewall.ensure(intents);
      }),

    remove: (plan, namespaces) =>
      within(namespaces, async (scene) => {
        const { links, intents } = split(plan);
        const failures: unknown[] = [];
        if (intents.length > 0) await firewall.remove(intents).catch((error: unknown) => failures.push(error));
        for (const run of runsOf(withoutWhatGoesWithItsLink(links).reverse())) {
          try {
            failures.push(...(await removeRun(executors, run, scene)));
          } catch (error) {
            failures.push(error);
          }
        }
        if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
      }),

    observe: (plan, namespaces) =>
      within(namespaces, async (scene) => {
        const { links, intents } = split(plan);
        const observations: Observation[] = [];
        for (const run of runsOf(links)) observations.push(...(await observeRun(executors, run, scene)));
        if (intents.length > 0) observations.push(...(await firewall.observe(intents)));
        const found = new Map(observations.map((observation) => [observation.resource, observation]));
        return plan.map((resource) => found.get(resource) ?? { resource, state: 'missing' });
      }),

    orphans: async (plans) => {
      const { links, intents } = split(plans);
      return [...(await linkOrphans(host(), links)), ...(await firewall.orphans(intents))];
    },

    sweep: async (orphans) => {
      await firewall.sweep(orphans.filter((orphan) => orphan.kind === 'rule'));
      await sweepLinks(host(), orphans);
    },

    dismantleFirewall: () => firewall.dismantle(),
    firewallBackend: () => firewall.inForce(),
    firewallMisplacement: async () => {
      const [inForce, wanted, leftover] = [firewall.inForce(), firewall.wanted(), await firewall.leftover()];
      if (inForce === wanted && leftover === undefined) return undefined;
      return { inForce, wanted, ...(leftover === undefined ? {} : { leftover }) };
    },
    moveFirewall: (plan) => firewall.move(split(plan).intents),
    facts: () => readFacts(host()),
    sandboxFacts: (netns) => withSocketIn(netns, readSandboxFacts),
    taggedLinks: async () => new Map((await readTaggedLinks(host())).map(({ alias, name }) => [alias, name])),
    listeners: readListeners,
    socketHolder,
    ephemeralPorts,
    forgetFlows,
    createNetns,
    removeNetns,
    netnsAt,
    netnsInUse,
    processIdentity,
    isAlive,
    close: async () => {
      const socket = hostSocket;
      hostSocket = undefined;
      await socket?.close();
    },
  };
}

function split(plan: Plan): { readonly links: LinkResource[]; readonly intents: FirewallResource[] } {
  const links: LinkResource[] = [];
  const intents: FirewallResource[] = [];
  for (const resource of plan) {
    if (isFirewall(resource)) intents.push(resource);
    else links.push(resource);
  }
  return { links, intents };
}

function openRouteSocket(): NetlinkSocket {
  try {
    return new NetlinkSocket('route');
  } catch (error) {
    throw refused('open a netlink socket', error);
  }
}

async function withSocketIn<T>(netns: Netns, look: (socket: NetlinkSocket) => Promise<T>): Promise<T> {
  const fd = openNetns(netns);
  let socket: NetlinkSocket;
  try {
    socket = inNetns(fd, openRouteSocket);
  } finally {
    closeSync(fd);
  }
  try {
    return await look(socket);
  } finally {
    await socket.close();
  }
}
