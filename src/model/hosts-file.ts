/**
 * /etc/hosts of a sandbox, in Docker's layout (hosts(5)).
 */

export interface HostsEntry {
  /** "172.17.0.2": without a prefix length. */
  readonly address: string;
  /** The canonical name first. */
  readonly names: readonly string[];
}

const LOOPBACK_V4: readonly HostsEntry[] = [{ address: '127.0.0.1', names: ['localhost'] }];

const LOOPBACK_V6: readonly HostsEntry[] = [
  { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
  { address: 'fe00::', names: ['ip6-localnet'] },
  { address: 'ff00::', names: ['ip6-mcastprefix'] },
  { address: 'ff02::1', names: ['ip6-allnodes'] },
  { address: 'ff02::2', names: ['ip6-allrouters'] },
];

/** "web.example.org" also answers to "web". */
function withShortName(names: readonly string[]): string[] {
  const [canonical = ''] = names;
  const [short = ''] = canonical.split('.', 1);
  const all = short === canonical ? names : [canonical, short, ...names.slice(1)];
  return [...new Set(all)];
}

/** The text of the file; entries without a name are left out. */
export function hostsFile(entries: readonly HostsEntry[]): string {
  return [...LOOPBACK_V4, ...LOOPBACK_V6, ...entries]
    .filter(({ names }) => names.length > 0)
    .map(({ address, names }) => `${address}\t${withShortName(names).join(' ')}\n`)
    .join('');
}
