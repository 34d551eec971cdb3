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

/** Longest first line of a script that kernels before 5.1 read (BINPRM_BUF_SIZE). */
const LONGEST_FIRST_LINE = 127;

/**
 * The executable: a script of the Node.js that is at `node`, so that it needs no PATH, and of the installed `plugin`, so that an
 * upgrade in place reaches it.
 */
export function executableText({ node, plugin }: { readonly node: string; readonly plugin: string }): string {
  const first = `#!${node}`;
  if (first.length <= LONGEST_FIRST_LINE && !/\s/.test(node)) return `${first}\nrequire(${JSON.stringify(plugin)});\n`;
  return `#!/bin/sh\nexec ${quoted(node)} ${quoted(plugin)}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
