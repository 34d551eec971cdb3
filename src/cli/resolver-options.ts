/** `--dns`, `--dns-search`, `--dns-option` and `--hostname` of `run`: checked, for they become lines of files. */
import { InvalidArgumentError } from 'commander';
import { isIP } from 'node:net';
import type { Config } from '../model/config.ts';
import type { ResolverOverrides } from '../model/records.ts';

export interface ResolverOptions {
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOption?: readonly string[];
}

/** HOST_NAME_MAX. */
const LONGEST_HOSTNAME = 64;

export function collectAddress(value: string, earlier: readonly string[] = []): string[] {
  if (isIP(value) === 0 || value.includes('%')) throw new InvalidArgumentError('Expected an IP address.');
  return [...earlier, value];
}

export function collectDomain(value: string, earlier: readonly string[] = []): string[] {
  if (!/^(\.|[a-z0-9_]([a-z0-9_.-]*))$/i.test(value)) throw new InvalidArgumentError('Expected a domain name.');
  return [...earlier, value];
}

export function collectResolverOption(value: string, earlier: readonly string[] = []): string[] {
  if (!/^[a-z0-9-]+(:[0-9]+)?$/i.test(value)) throw new InvalidArgumentError('Expected an option of resolv.conf(5).');
  return [...earlier, value];
}

export function parseHostname(value: string): string {
  const labels = value.split('.');
  if (value.length > LONGEST_HOSTNAME || !labels.every((label) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/i.test(label))) {
    throw new InvalidArgumentError(`Expected a host name of at most ${LONGEST_HOSTNAME} characters.`);
  }
  return value;
}

/** Options replace the configuration, each on its own. */
export function resolverOverrides(options: ResolverOptions, config: Config): ResolverOverrides {
  return {
    dns: options.dns ?? config.dns,
    dnsSearch: options.dnsSearch ?? config.dnsSearch,
    dnsOpts: options.dnsOption ?? config.dnsOpts,
  };
}
