/**
 * The configuration that `tsnet cni install` writes: one plugin, in the place of bridge, host-local, portmap, bandwidth and
 * firewall. Old runtimes take the first version, newer ones the highest of the list. `config/cni/` has it to copy.
 */
export const CONFLIST_FILE = '10-tsnet.conflist';

export const CONFLIST = {
  cniVersion: '1.0.0',
  cniVersions: ['0.4.0', '1.0.0', '1.1.0'],
  name: 'pods',
  plugins: [
    {
      type: 'tsnet',
      bridge: 'tsnet-pods',
      capabilities: {
        portMappings: true,
        bandwidth: true,
        dns: true,
        ips: true,
        mac: true,
        aliases: true,
        ipRanges: true,
      },
    },
  ],
};

/** As it stands in the file. */
export function conflistText(): string {
  return `${JSON.stringify(CONFLIST, undefined, 2)}\n`;
}
