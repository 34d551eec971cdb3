/** The files that a sandbox of `run` sees in the place of the host's, by whose network it runs in. */
import type { Engine, SandboxView } from '../engine/engine.ts';
import { nameFilesIn, sandboxFolder, writeSandboxFiles, type SandboxFiles } from '../launch/sandbox-files.ts';
import type { Config } from '../model/config.ts';
import type { ResolverOverrides } from '../model/records.ts';

interface RunFilesInput {
  readonly engine: Engine;
  readonly created: SandboxView;
  readonly config: Config;
  readonly hostname: { readonly hostname?: string };
  readonly overrides: ResolverOverrides;
}

export async function runFiles({ engine, created, config, hostname, overrides }: RunFilesInput): Promise<SandboxFiles> {
  const { sandbox, endpoints } = created;
  const own = sandboxFolder(config.execRoot, sandbox.id);
  const write = (name: string, ofEndpoints: SandboxView['endpoints']): SandboxFiles =>
    writeSandboxFiles(own, { name, endpoints: ofEndpoints, ...hostname }, overrides);
  switch (sandbox.shares?.kind) {
    case undefined:
      return write(sandbox.name, endpoints);
    case 'host':
    case 'foreign': {
      // How names are resolved there is what the host's files say; of its own it has a host name at most.
      const { '/etc/hostname': file } = write(sandbox.name, endpoints);
      return file === undefined ? {} : { '/etc/hostname': file };
    }
    case 'sandbox': {
      const owner = await engine.inspectSandbox(sandbox.shares.sandboxId);
      const written = write(owner.sandbox.name, owner.endpoints);
      // The owner's own files follow its connects and disconnects.
      return owner.sandbox.origin.kind === 'own'
        ? nameFilesIn(sandboxFolder(config.execRoot, owner.sandbox.id))
        : written;
    }
  }
}
