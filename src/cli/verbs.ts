/** The verbs of the command line, in the order of `tsnet --help`. Only the file of the verb that was typed is loaded. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/** Declares a verb's arguments and options on `command`, and what it does. */
export type DefineVerb = (command: Command, context: CliContext) => void;

export interface VerbEntry {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  /** Everything after the first argument belongs to another program: `run`, `exec`. */
  readonly passThrough?: true;
  /** Left out of the help. */
  readonly hidden?: true;
  readonly load: () => Promise<{ readonly define: DefineVerb }>;
}

export const VERBS: readonly VerbEntry[] = [
  { name: 'create', summary: 'Create a network', load: () => import('./create.ts') },
  { name: 'connect', summary: 'Connect a container to a network', load: () => import('./connect.ts') },
  { name: 'disconnect', summary: 'Disconnect a container from a network', load: () => import('./disconnect.ts') },
  { name: 'publish', summary: 'Publish ports of a connected container', load: () => import('./publish.ts') },
  { name: 'unpublish', summary: 'Withdraw published ports', load: () => import('./unpublish.ts') },
  {
    name: 'update',
    summary: 'Change a network while it is in use',
    load: () => import('./update.ts'),
  },
  { name: 'ls', aliases: ['list'], summary: 'List networks', load: () => import('./ls.ts') },
  { name: 'inspect', summary: 'Show networks in full', load: () => import('./inspect.ts') },
  { name: 'rm', aliases: ['remove'], summary: 'Remove networks', load: () => import('./rm.ts') },
  { name: 'prune', summary: 'Remove all networks that nobody uses', load: () => import('./prune.ts') },
  { name: 'run', summary: 'Run a program in a fresh sandbox', passThrough: true, load: () => import('./run.ts') },
  { name: 'exec', summary: 'Run a program in an existing sandbox', passThrough: true, load: () => import('./exec.ts') },
  { name: 'ps', summary: 'List sandboxes', load: () => import('./ps.ts') },
  { name: 'port', summary: 'List published ports', load: () => import('./port.ts') },
  { name: 'stop', summary: 'Stop sandboxes', load: () => import('./stop.ts') },
  { name: 'diff', summary: 'Compare what should exist with what the kernel has', load: () => import('./diff.ts') },
  { name: 'repair', summary: 'Mend the differences that diff shows', load: () => import('./repair.ts') },
  { name: 'gc', summary: 'Let go of what dead containers left behind', load: () => import('./gc.ts') },
  { name: 'info', summary: 'Show the state of tsnet on this host', load: () => import('./info.ts') },
  { name: 'cluster', summary: 'List or remove hosts of the cluster', load: () => import('./cluster.ts') },
  { name: 'events', summary: 'Show what happens to networks', load: () => import('./events.ts') },
  { name: 'daemon', summary: 'Serve the API, names and repairs until stopped', load: () => import('./daemon.ts') },
  {
    name: 'docker-plugin',
    summary: 'Serve Docker as network and IPAM driver',
    load: () => import('./docker-plugin.ts'),
  },
  {
    name: 'oci-hook',
    summary: 'Attach or detach the container of an OCI runtime',
    load: () => import('./oci-hook.ts'),
  },
  { name: 'cni', summary: 'Install the CNI plugin', load: () => import('./cni.ts') },
  { name: 'netavark', summary: "Install Podman's network helper", load: () => import('./netavark.ts') },
  { name: 'config', summary: 'Check or show the configuration', load: () => import('./config.ts') },
  { name: 'completion', summary: 'Print a completion script for a shell', load: () => import('./completion.ts') },
  { name: 'version', summary: 'Show the version', load: () => import('./version.ts') },
  {
    name: '__reap',
    summary: 'Remove the sandbox of a program that ended',
    hidden: true,
    load: () => import('./reap.ts'),
  },
  {
    name: '__complete',
    summary: 'Complete a command line',
    passThrough: true,
    hidden: true,
    load: () => import('./complete.ts'),
  },
];

export function findVerb(name: string): VerbEntry | undefined {
  return VERBS.find((verb) => verb.name === name || verb.aliases?.includes(name) === true);
}
