/**
 * Both firewall backends, and which of them holds the rules.
 *
 * A file in exec-root names the one in force; like the rules, it does not survive a reboot. Every change goes there, whatever
 * daemon.json has come to ask for since, so that a port is withdrawn where it was published. `move` carries everything over.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Family } from '../model/records.ts';
import type { FirewallBackend } from '../plan/kernel.ts';
import type { FirewallResource } from '../plan/resource.ts';
import { forFamilies, noFirewall, type FirewallExecutor } from './firewall-executor.ts';
import { openIptables } from './iptables.ts';
import { openNftables } from './nftables.ts';
import { hasProgram } from './run-program.ts';

type Backend = Exclude<FirewallBackend, 'none'>;

export interface FirewallBackends extends FirewallExecutor {
  inForce(): FirewallBackend;
  /** The backend that daemon.json asks for. */
  wanted(): FirewallBackend;
  /** A backend that is not in force and has rules of ours all the same. */
  leftover(): Promise<FirewallBackend | undefined>;
  /**
   * Makes the wanted backend the one in force, with `intents`, all there are. First everything is made there, then the old
   * goes: in between both isolate, and both say the same.
   */
  move(intents: readonly FirewallResource[]): Promise<void>;
}

export interface FirewallBackendsOptions {
  readonly execRoot: string;
  /** daemon.json `firewall-backend`; "": iptables where it is installed, else nftables. */
  readonly wanted: Backend | '';
  /** Families whose rules are written (daemon.json `iptables`, `ip6tables`). */
  readonly families: readonly Family[];
}

const OTHER: Readonly<Record<Backend, Backend>> = { iptables: 'nftables', nftables: 'iptables' };

/** One backend, whatever daemon.json says. */
export function soleBackend(name: FirewallBackend, firewall: FirewallExecutor): FirewallBackends {
  return {
    ...firewall,
    inForce: () => name,
    wanted: () => name,
    leftover: () => Promise.resolve(undefined),
    move: () => Promise.resolve(),
  };
}

export function openFirewallBackends({ execRoot, wanted, families }: FirewallBackendsOptions): FirewallBackends {
  if (families.length === 0) return soleBackend('none', noFirewall);
  const executors: Readonly<Record<Backend, FirewallExecutor>> = {
    iptables: forFamilies(openIptables({ execRoot }), families),
    nftables: forFamilies(openNftables({ execRoot }), families),
  };
  const file = path.join(execRoot, 'firewall-backend');
  const asked = (): Backend => (wanted === '' ? installed() : wanted);
  const recorded = (): Backend | undefined => {
    try {
      const name = readFileSync(file, 'latin1');
      return name === 'iptables' || name === 'nftables' ? name : undefined;
    } catch {
      return undefined;
    }
  };
  const record = (backend: Backend): void => {
    mkdirSync(execRoot, { recursive: true });
    writeFileSync(file, backend);
  };
  const inForce = (): Backend => recorded() ?? asked();
  const current = (): FirewallExecutor => executors[inForce()];
  const leftover = async (): Promise<Backend | undefined> => {
    const other = OTHER[inForce()];
    return (await executors[other].remains()) ? other : undefined;
  };

  return {
    inForce,
    wanted: asked,
    leftover,
    ensure: (intents) => {
      if (intents.length > 0 && recorded() === undefined) record(asked());
      return current().ensure(intents);
    },
    remove: (intents) => current().remove(intents),
    observe: (intents) => current().observe(intents),
    orphans: (intents) => current().orphans(intents),
    sweep: (orphans) => current().sweep(orphans),
    dismantle: () => current().dismantle(),
    remains: () => current().remains(),
    async move(intents) {
      const to = asked();
      if (inForce() !== to) {
        await executors[to].ensure(intents);
        record(to);
      }
      const stale = await leftover();
      if (stale !== undefined) await executors[stale].dismantle();
    },
  };
}

/** What `""` stands for. */
function installed(): Backend {
  return hasProgram('iptables-restore') ? 'iptables' : 'nftables';
}
