/**
 * The files of one sandbox under `<exec-root>/sandboxes/<id>/`: resolv.conf, hosts, hostname, and the output of a detached
 * command in `log`. They are bound over those of the host in the sandbox's view, so they are rewritten in place, never
 * replaced: a bind mount holds on to the file it was given.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname as hostHostname } from 'node:os';
import path from 'node:path';
import { errorCode, refused } from '../kernel/kernel-refusal.ts';
import { createResolvConf } from './resolv-conf-file.ts';
import { hostsFile, type HostsEntry } from '../model/hosts-file.ts';
import type { Endpoint, ResolverOverrides } from '../model/records.ts';
import {
  asksOnlyResolvedStub,
  parseResolvConf,
  RESOLVED_UPSTREAM,
  sandboxResolvConf,
  type ResolvConf,
} from '../model/resolv-conf.ts';

export interface SandboxIdentity {
  readonly name: string;
  readonly endpoints: readonly Pick<Endpoint, 'addresses' | 'aliases'>[];
  /** Host name of the sandbox's own; absent when it has the host's. */
  readonly hostname?: string;
}

const RESOLV_CONF = '/etc/resolv.conf';

export function sandboxFolder(execRoot: string, id: string): string {
  return path.join(execRoot, 'sandboxes', id);
}

export function logPath(folder: string): string {
  return path.join(folder, 'log');
}

/** Path in the sandbox → file that is seen there. */
export type SandboxFiles = Readonly<Record<string, string>>;

/** Where the files of a sandbox that say how names are resolved are seen; they are written already. */
export function nameFilesIn(folder: string): SandboxFiles {
  return { [RESOLV_CONF]: path.join(folder, 'resolv.conf'), '/etc/hosts': path.join(folder, 'hosts') };
}

/** Writes the files; answers which of them is seen where in the sandbox. */
export function writeSandboxFiles(
  folder: string,
  sandbox: SandboxIdentity,
  overrides: ResolverOverrides,
): SandboxFiles {
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text, { mode: 0o644 });
    return file;
  };
  try {
    mkdirSync(folder, { recursive: true });
    const hostname = write('hostname', `${sandbox.hostname ?? hostHostname()}\n`);
    // Where a daemon serves names it wrote the file already, with its own address first.
    createResolvConf(folder, resolvConfText(sandbox, overrides));
    write('hosts', hostsText(sandbox));
    return {
      ...nameFilesIn(folder),
      ...(sandbox.hostname === undefined ? {} : { '/etc/hostname': hostname }),
    };
  } catch (error) {
    throw refused(`write the files of sandbox ${sandbox.name} in ${folder}`, error);
  }
}

/** After a connect or disconnect: the hosts file with the addresses of now. Nothing happens for a sandbox without files. */
export function rewriteHosts(folder: string, sandbox: Omit<SandboxIdentity, 'hostname'>): void {
  try {
    const hostname = readFileSync(path.join(folder, 'hostname'), 'utf8').trim();
    writeFileSync(path.join(folder, 'hosts'), hostsText({ ...sandbox, hostname }));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw refused(`rewrite the hosts file of sandbox ${sandbox.name}`, error);
  }
}

/** Missing is fine. */
export function removeSandboxFiles(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    throw refused(`remove ${folder}`, error);
  }
}

/**
 * Removes the files of sandboxes that are no more: gc lets go of their records and namespaces only. `knownIds` is asked after
 * the folders were listed; a sandbox is recorded before it gets files, so none that lives is missed.
 */
export async function sweepSandboxFiles(execRoot: string, knownIds: () => Promise<ReadonlySet<string>>): Promise<void> {
  let found: string[];
  try {
    found = readdirSync(sandboxFolder(execRoot, ''));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw refused(`list the files of sandboxes in ${execRoot}`, error);
  }
  if (found.length === 0) return;
  const known = await knownIds();
  for (const id of found) if (!known.has(id)) removeSandboxFiles(sandboxFolder(execRoot, id));
}

function bareAddresses(sandbox: SandboxIdentity): string[] {
  return sandbox.endpoints.flatMap(({ addresses }) => addresses.map(({ address }) => address.replace(/\/.*/, '')));
}

function hostsText({ name, hostname, endpoints }: SandboxIdentity): string {
  // With the host's name its own address must be found too: many programs look up the name of the machine they run on.
  const names = [hostname ?? hostHostname(), name];
  return hostsFile(
    endpoints.flatMap(({ addresses, aliases }) =>
      addresses.map(({ address }): HostsEntry => ({
        address: address.replace(/\/.*/, ''),
        // hosts(5) has no wildcards.
        names: [...names, ...aliases.filter((alias) => !alias.startsWith('*'))],
      })),
    ),
  );
}

/** The text of a sandbox's resolv.conf by what the host's says now. */
export function resolvConfText(
  sandbox: Pick<SandboxIdentity, 'name' | 'endpoints'>,
  overrides: ResolverOverrides,
  { hostFile = RESOLV_CONF, nameService = false }: { readonly hostFile?: string; readonly nameService?: boolean } = {},
): string {
  const addresses = bareAddresses(sandbox);
  const ofHost = read(hostFile);
  const upstream = asksOnlyResolvedStub(ofHost) ? read(RESOLVED_UPSTREAM) : undefined;
  return sandboxResolvConf({
    host: upstream ?? ofHost,
    source: upstream === undefined ? hostFile : RESOLVED_UPSTREAM,
    overrides,
    ipv4: addresses.some((address) => !address.includes(':')),
    ipv6: addresses.some((address) => address.includes(':')),
    nameService,
  });
}

/** A host without the file has no nameservers of its own. */
function read(file: string): ResolvConf {
  try {
    return parseResolvConf(readFileSync(file, 'utf8'));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw refused(`read ${file}`, error);
    return parseResolvConf('');
  }
}
