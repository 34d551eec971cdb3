/**
 * What every use case is handed. Nothing in the engine reaches for anything else: no singletons, no clock, no environment.
 */
import type { Config } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { Ledger } from '../model/ledger.ts';
import type { Endpoint, Network, ProcessIdentity, Sandbox, SandboxOrigin } from '../model/records.ts';
import type { Driver, Peer } from '../plan/driver.ts';
import { handedPlan } from '../plan/handed-plan.ts';
import type { IpamPlugins } from '../plan/ipam-plugin.ts';
import type { ChangeLock, Kernel, Namespaces } from '../plan/kernel.ts';
import type { Cluster } from './cluster.ts';
import type { Drivers } from './drivers.ts';

/** A container that the ledger does not know yet, as a resolver of references found it. */
export interface ContainerReference {
  readonly origin: SandboxOrigin;
  /** Name that the sandbox gets. */
  readonly name: string;
  readonly netnsPath: string;
  readonly pid?: number;
}

export interface EngineContext {
  readonly ledger: Ledger;
  readonly kernel: Kernel;
  readonly config: Config;
  readonly drivers: Drivers;
  readonly ipamPlugins: IpamPlugins;
  readonly lock: ChangeLock;
  /** This process: the owner of the intents it writes. */
  readonly self: ProcessIdentity;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** Paths, `netns:`, `pid:`, `docker:` … to a namespace. */
  readonly resolveContainer: (reference: string) => Promise<ContainerReference>;
  readonly version: string;
  /** What the other hosts have of a network of scope global; undefined where that is not known now. Absent: this process never knows. */
  readonly remotePeers?: (network: Network) => readonly Peer[] | undefined;
  /** Underlay addresses of the other hosts of the cluster; likewise. */
  readonly clusterVteps?: () => readonly string[] | undefined;
  /** Present in a daemon that daemon.json names a cluster store to. */
  readonly cluster?: Cluster;
}

/** The owner of an intent that its process gave up on: dead by definition, so that the next change finishes or undoes it. */
export const ABANDONED: ProcessIdentity = { pid: 0, startTime: 0 };

/** Whether the process that owns an intent may still be at work on it. */
export function isAtWork({ self, kernel }: EngineContext, owner: ProcessIdentity): boolean {
  return (owner.pid === self.pid && owner.startTime === self.startTime) || kernel.isAlive(owner);
}

/** The driver of a network on record; of endpoints that a runtime sets up it plans our side. */
export function driverOf({ drivers, config }: EngineContext, network: Network): Driver {
  const driver = drivers.of(network);
  if (driver !== undefined) {
    return { ...driver, endpointPlan: (on, endpoint) => handedPlan(driver.endpointPlan(on, endpoint), endpoint) };
  }
  const named =
    config.drivers.length === 0 ? 'daemon.json names no drivers' : `daemon.json: ${config.drivers.join(', ')}`;
  throw new TsnetError(
    'NOT_FOUND',
    `use network ${network.name}: its driver ${network.driver} is not there or cannot be used (${named}); \`tsnet info\` says why`,
  );
}

/** The namespaces that a plan for these sandboxes needs. */
export function namespacesOf(...sandboxes: readonly Sandbox[]): Namespaces {
  return new Map(sandboxes.map((sandbox) => [sandbox.id, sandbox.netns]));
}

/** The record without its owner: settled. */
export function settled<R extends Network | Sandbox | Endpoint>(record: R, state: R['state']): R {
  const { owner: _owner, ...rest } = record;
  return { ...rest, state } as R;
}
