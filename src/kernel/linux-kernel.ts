/**
 * The kernel layer put together: walks plans, hands runs of resources to their executors.
 *
 * A plan is made link by link in its order, then its firewall intents in one transaction; it is removed the other way
 * round, so that no packet finds a way in to what is half gone.
 */
import { TsnetError } from '../model/error.ts';
import type { Kernel, Namespaces } from '../plan/kernel.ts';
import type { NetworkPlugins } from '../plan/network-plugin.ts';
import { isFirewall, type FirewallResource, type LinkResource, type Plan } from '../plan/resource.ts';
import { addressExecutor } from './address-executor.ts';
import { addressHolders } from './address-probe.ts';
import { bridgedFramesCrossFirewall } from './bridged-frames.ts';
import { bridgeExecutor } from './bridge-executor.ts';
import { forgetFlows } from './conntrack.ts';
import { openDhcpSegment } from './dhcp-segment.ts';
import { dummyExecutor } from './dummy-executor.ts';
import type { Executors } from './executor.ts';
import { readFacts, readSandboxFacts, readTaggedLinks } from './facts.ts';
import { fdbExecutor } from './fdb-executor.ts';
import type { FirewallBackends } from './firewall-backends.ts';
import { foreignFirewall } from './foreign-firewall.ts';
import { hostSockets } from './host-sockets.ts';
import { ifbExecutor } from './ifb-executor.ts';
import { ipvlanExecutor } from './ipvlan-executor.ts';
import { supportedLinkKinds } from './link-kinds.ts';
import { linkUpExecutor } from './link-up-executor.ts';
import { ephemeralPorts, readListeners, socketHolder } from './listeners.ts';
import { macvlanExecutor } from './macvlan-executor.ts';
import { neighbourExecutor } from './neighbour-executor.ts';
import { createNetns, isHost, netnsAt, netnsInUse, removeNetns } from './netns.ts';
import { OpenSandboxes } from './open-sandboxes.ts';
import { entryOrphans, sweepEntries } from './orphan-entries.ts';
import { linkOrphans, sweepLinks } from './orphan-links.ts';
import { isAlive, mountNamespace, processIdentity } from './process-identity.ts';
import { pluginEndpointExecutor } from './plugin-endpoint-executor.ts';
import { pluginNetworkExecutor } from './plugin-network-executor.ts';
import { redirectExecutor } from './redirect-executor.ts';
import { routeExecutor } from './route-executor.ts';
import { ruleExecutor } from './rule-executor.ts';
import { observeLinks } from './observe-links.ts';
import { ensureRun, removeRun, runsOf, withoutWhatGoesWithItsLink } from './runs.ts';
import { Scene } from './scene.ts';
import { sysctlExecutor, type SysctlChanged } from './sysctl-executor.ts';
import { tokenBucketExecutor } from './token-bucket-executor.ts';
import { forgetTrespassers } from './trespassers.ts';
import { vethExecutor } from './veth-executor.ts';
import { vlanExecutor } from './vlan-executor.ts';
import { vxlanExecutor } from './vxlan-executor.ts';

export interface KernelOptions {
  readonly firewall: FirewallBackends;
  /** Whether the firewall keeps containers apart in both families where bridged frames cross it; absent: unless it is none. */
  readonly keepsApart?: boolean;
  /** Told of every parameter of the host itself that was changed. */
  readonly onSysctlChanged?: SysctlChanged;
  /** Docker network plugins; absent: there are none. */
  readonly plugins?: NetworkPlugins;
}

const noPlugins: NetworkPlugins = (name) => {
  throw new TsnetError('NOT_FOUND', `use Docker plugin ${name}: there are no plugins here`);
};

export function openKernel({ firewall, keepsApart, onSysctlChanged, plugins = noPlugins }: KernelOptions): Kernel {
  const executors: Executors = {
    bridge: bridgeExecutor,
    macvlan: macvlanExecutor,
    ipvlan: ipvlanExecutor,
    vlan: vlanExecutor,
    dummy: dummyExecutor,
    vxlan: vxlanExecutor,
    fdb: fdbExecutor,
    ifb: ifbExecutor,
    'token-bucket': tokenBucketExecutor,
    redirect: redirectExecutor,
    veth: vethExecutor(() => (keepsApart ?? firewall.inForce() !== 'none') && bridgedFramesCrossFirewall()),
    'plugin-network': pluginNetworkExecutor(plugins),
    'plugin-endpoint': pluginEndpointExecutor(plugins),
    'link-up': linkUpExecutor,
    address: addressExecutor,
    neighbour: neighbourExecutor,
    route: routeExecutor,
    rule: ruleExecutor,
    sysctl: sysctlExecutor(onSysctlChanged ?? (() => undefined)),
  };
  const host = hostSockets();
  const sandboxes = new OpenSandboxes();

  const within = async <T>(namespaces: Namespaces, act: (scene: Scene) => Promise<T>): Promise<T> => {
    const scene = new Scene(host.socket('route'), namespaces, sandboxes);
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
        await scene.settle();
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
        // Side by side: a large table is read on another thread. All wait for both: nobody may still look around in a scene that is
        // being closed.
        const [seen, ruled] = await Promise.allSettled([
          observeLinks(executors, links, scene),
          firewall.observe(intents),
        ]);
        if (seen.status === 'rejected') throw seen.reason;
        if (ruled.status === 'rejected') throw ruled.reason;
        const observations = [...seen.value, ...ruled.value];
        const found = new Map(observations.map((observation) => [observation.resource, observation]));
        return plan.map((resource) => found.get(resource) ?? { resource, state: 'missing' });
      }),

    orphans: async (plans, closed = new Set()) => {
      const { links, intents } = split(plans);
      const socket = host.socket('route');
      const found = await Promise.all([
        linkOrphans(socket, links),
        entryOrphans(socket, links, closed),
        firewall.orphans(intents),
      ]);
      return found.flat();
    },

    sweep: async (orphans) => {
      await firewall.sweep(orphans.filter((orphan) => orphan.kind === 'rule'));
      await sweepEntries(host.socket('route'), orphans);
      await sweepLinks(host.socket('route'), orphans);
    },

    dismantleFirewall: () => firewall.dismantle(),
    firewallBackend: () => firewall.inForce(),
    firewallMisplacement: async () => {
      const [inForce, wanted, leftover] = [firewall.inForce(), firewall.wanted(), await firewall.leftover()];
      if (inForce === wanted && leftover === undefined) return undefined;
      return { inForce, wanted, ...(leftover === undefined ? {} : { leftover }) };
    },
    moveFirewall: (plan) => firewall.move(split(plan).intents),
    foreignDrops: foreignFirewall({ backend: () => firewall.inForce() }),
    facts: () => readFacts(host.socket('route')),
    supportedLinkKinds: (kinds) => supportedLinkKinds(host.socket('route'), kinds),
    sandboxFacts: async (netns) => {
      const sandbox = sandboxes.enter(netns);
      try {
        return await readSandboxFacts(sandbox);
      } finally {
        await sandbox.leave();
      }
    },
    visit: async (netns, work) => {
      const sandbox = sandboxes.enter(netns);
      try {
        return await work();
      } finally {
        await sandbox.leave();
      }
    },
    taggedLinks: async () =>
      new Map((await readTaggedLinks(host.socket('route'))).map(({ alias, name }) => [alias, name])),
    listeners: (protocols, ports) => readListeners({ protocols, ports, open: () => host.socket('sock-diag') }),
    socketHolder,
    ephemeralPorts,
    forgetFlows: (filters) => forgetFlows(filters, () => host.socket('netfilter')),
    forgetTrespassers: (intents) =>
      forgetTrespassers(intents, { route: host.socket('route'), open: () => host.socket('netfilter') }),
    addressHolders: (link, addresses) => addressHolders(host.socket('route'), link, addresses),
    openDhcpSegment: (link, mac) => openDhcpSegment(host.socket('route'), link, mac),
    createNetns,
    removeNetns,
    netnsAt,
    isHost,
    netnsInUse,
    processIdentity,
    mountNamespace,
    isAlive,
    close: () => host.close(),
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
