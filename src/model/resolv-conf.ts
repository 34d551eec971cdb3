/**
 * resolv.conf of a sandbox, from the host's: text in, text out (resolv.conf(5)).
 *
 * A sandbox cannot reach the host's loopback, so a resolver that listens there is of no use to it.
 */
import type { ResolverOverrides } from './records.ts';

/** The directives of a resolv.conf. */
export interface ResolvConf {
  readonly nameservers: readonly string[];
  /** The last `search` or `domain` line wins. */
  readonly search: readonly string[];
  /** Of all `options` lines, in order. */
  readonly options: readonly string[];
  /** Directives that we do not know (`sortlist` …), copied as they are. */
  readonly others: readonly string[];
}

export interface SandboxResolvConfInput {
  readonly host: ResolvConf;
  /** Path that `host` was read from, for the comment. */
  readonly source: string;
  readonly overrides: ResolverOverrides;
  /** Which families the sandbox has addresses of. */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** The daemon answers at {@link NAME_SERVICE_ADDRESS}: it is asked first, the others while it is down. */
  readonly nameService?: boolean;
}

/** Where the daemon's name service answers inside every sandbox: Docker's address. */
export const NAME_SERVICE_ADDRESS = '127.0.0.11';

/** The file that systemd-resolved keeps with the real servers, for readers that its stub at 127.0.0.53 does not serve. */
export const RESOLVED_UPSTREAM = '/run/systemd/resolve/resolv.conf';

/** Where a sandbox asks when nothing else is known (Google Public DNS, Docker's choice too). */
const FALLBACK_V4 = ['8.8.8.8', '8.8.4.4'];
const FALLBACK_V6 = ['2001:4860:4860::8888', '2001:4860:4860::8844'];

/** Never fails: lines that make no sense are what the C library skips too. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  const options: string[] = [];
  const others: string[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const bare = line.trim();
    if (bare === '' || bare.startsWith('#') || bare.startsWith(';')) continue;
    const [keyword = '', ...values] = bare.split(/\s+/);
    if (keyword === 'nameserver') nameservers.push(...values.slice(0, 1));
    else if (keyword === 'search') search = values;
    else if (keyword === 'domain') search = values.slice(0, 1);
    else if (keyword === 'options') options.push(...values);
    else others.push(bare);
  }
  return { nameservers, search, options, others };
}

/** Whether the only resolver is systemd-resolved's stub, so that {@link RESOLVED_UPSTREAM} is the file to read. */
export function asksOnlyResolvedStub(conf: ResolvConf): boolean {
  return conf.nameservers.length > 0 && conf.nameservers.every((address) => address === '127.0.0.53');
}

/** Loopback, or "this host" (0.0.0.0 and ::, which the C library sends to loopback). */
function isOnlyForTheHost(address: string): boolean {
  return (
    /^(::ffff:)?127\./i.test(address) ||
    address === '0.0.0.0' ||
    /^[0:]*:[0:]*1?$/.test(address) ||
    // A zone ("fe80::1%eth0") names a link of the host.
    address.includes('%')
  );
}

function isReachable(address: string, { ipv4, ipv6 }: SandboxResolvConfInput): boolean {
  if (isOnlyForTheHost(address)) return false;
  return address.includes(':') ? ipv6 : ipv4 || !ipv6;
}

/** The text of the sandbox's resolv.conf. */
export function sandboxResolvConf(input: SandboxResolvConfInput): string {
  const { host, overrides, source, ipv4, ipv6, nameService = false } = input;
  const fromHost = host.nameservers.filter((address) => isReachable(address, input));
  const fallback = [...(ipv4 || !ipv6 ? FALLBACK_V4 : []), ...(ipv6 ? FALLBACK_V6 : [])];
  const upstreams = overrides.dns.length > 0 ? overrides.dns : fromHost.length > 0 ? fromHost : fallback;
  const nameservers = nameService
    ? [NAME_SERVICE_ADDRESS, ...upstreams.filter((address) => address !== NAME_SERVICE_ADDRESS)]
    : upstreams;
  const search = (overrides.dnsSearch.length > 0 ? overrides.dnsSearch : host.search).filter((name) => name !== '.');
  const given = overrides.dnsOpts.length > 0 ? overrides.dnsOpts : host.options;
  // A container's bare name is asked as it is, before the search list: it would cost a question of the outside otherwise.
  const options = nameService && !given.some((option) => /^ndots:\d+$/.test(option)) ? [...given, 'ndots:0'] : given;
  const overridden = [
    ...(overrides.dns.length > 0 ? ['nameservers'] : []),
    ...(overrides.dnsSearch.length > 0 ? ['search'] : []),
    ...(overrides.dnsOpts.length > 0 ? ['options'] : []),
  ];
  const servers =
    overrides.dns.length === 0 && fromHost.length === 0
      ? `no nameserver of ${source} can be reached from a sandbox: public ones are used`
      : `based on ${source}`;
  return [
    `# Written by tsnet; ${servers}.`,
    ...(overridden.length > 0 ? [`# Replaced by configuration: ${overridden.join(', ')}.`] : []),
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    ...host.others,
    '',
  ].join('\n');
}
