/**
 * What the daemon asks of the kernel layer beyond `Kernel`: to be told of changes, ends of processes, and to hold ports
 * (implemented in `src/kernel/`).
 */
import type { Netns, ProcessIdentity } from '../model/records.ts';

/** A change in the host's namespace that may concern a link of ours. */
export interface HostChange {
  readonly about: 'link' | 'address' | 'route' | 'rule' | 'parameter';
  /** The link that it is about; absent: none, or one that is not known. */
  readonly link?: string;
  /** The link's alias, where it is one of ours: `tsnet:<id>`. */
  readonly tag?: string;
  /** The link itself is no more. */
  readonly gone?: true;
}

/** Called synchronously, often many times in a row: take a note, act later. */
export interface ChangeHandlers {
  onHost(change: HostChange): void;
  /** Links, addresses, routes or rules changed in another namespace: the one with this id in the host's. */
  onNamespace(nsid: number): void;
  /** The id means nothing any more, or soon another namespace. */
  onNamespaceGone(nsid: number): void;
  /** The host's firewall was changed, by "nft (pid 812)" where that is known; never by this process. */
  onFirewall(by: string | undefined): void;
  /** Changes were missed: anything may have happened. */
  onLost(): void;
}

export interface Watch {
  close(): void;
}

/** What tells of changes. Throws TsnetError. */
export type WatchChanges = (handlers: ChangeHandlers) => Promise<Watch>;

/** The id by which events name a sandbox's namespace; one is given to it if it has none. Undefined: it is gone. */
export type NamespaceId = (netns: Netns) => Promise<number | undefined>;

/** Ends of processes. */
export interface ProcessWatch extends Watch {
  /** Replaces those that are watched. `onEnd` is called once for each that has ended already or ends. */
  watch(processes: readonly ProcessIdentity[]): void;
}
export type WatchProcesses = (onEnd: (process: ProcessIdentity) => void) => ProcessWatch;

/** A host port that no other program can take while it is held. */
export interface HeldPort {
  readonly protocol: 'tcp' | 'udp';
  /** "0.0.0.0", "::" or one address of the host. */
  readonly address: string;
  readonly port: number;
}

/** Takes a port; the function lets go of it. Throws TsnetError PORT_TAKEN, or what else the system has to say. */
export type HoldPort = (port: HeldPort) => () => void;
