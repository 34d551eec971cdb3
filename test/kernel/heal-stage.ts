/**
 * What the tests of the daemon's parts share: an engine in this process, with the test's own namespace as host, and the built
 * tsnet beside it as the other process.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openContext } from '../../src/wiring/open-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { openHealer, type Healer, type HealerOptions } from '../../src/daemon/heal/healer.ts';
import { openKernelChanges, type KernelChanges } from '../../src/daemon/kernel-changes.ts';
import type { Log } from '../../src/daemon/log.ts';
import type { EngineContext } from '../../src/engine/context.ts';
import type { Drift, Engine } from '../../src/engine/engine.ts';
import { makeEngine } from '../../src/engine/make-engine.ts';
import { watchChanges } from '../../src/kernel/change-events.ts';
import { hostSockets } from '../../src/kernel/host-sockets.ts';
import { namespaceId } from '../../src/kernel/namespace-id.ts';
import { readParameter } from '../../src/kernel/sysctl-executor.ts';
import { openLedger } from '../../src/store/ledger.ts';
import { Lab, must, run, TSNET, type FirewallBackend } from '../support/lab.ts';

export class HealStage {
  readonly lab = new Lab();
  readonly dir = mkdtempSync(path.join(tmpdir(), 'tsnet-heal-'));
  readonly env: Readonly<Record<string, string>>;
  readonly context: EngineContext;
  readonly engine: Engine;
  readonly logged: { readonly level: string; readonly message: string; readonly fields: object }[] = [];
  readonly repaired: Drift[] = [];
  readonly log: Log;
  readonly #sockets = hostSockets();
  #changes: KernelChanges | undefined;
  healer: Healer | undefined;

  constructor(backend: FirewallBackend, keys: object = {}) {
    const file = path.join(this.dir, 'daemon.json');
    writeFileSync(file, JSON.stringify({ 'firewall-backend': backend, ...keys }));
    this.env = {
      TSNET_DATA_ROOT: path.join(this.dir, 'lib'),
      TSNET_EXEC_ROOT: path.join(this.dir, 'run'),
      TSNET_CONFIG: file,
      NODE_EXTRA_CA_CERTS: '',
    };
    const config = loadConfig({ env: this.env });
    const ledger = openLedger({ dataRoot: config.dataRoot, execRoot: config.execRoot });
    this.context = openContext(config, ledger);
    this.engine = makeEngine({ ledger, config, openContext: () => Promise.resolve(this.context) });
    const tell =
      (level: string) =>
      (fields: object, message: string): void => {
        this.logged.push({ level, message, fields });
      };
    this.log = { info: tell('info'), warn: tell('warn'), error: tell('error') };
  }

  async changes(): Promise<KernelChanges> {
    return (this.#changes ??= await openKernelChanges(watchChanges));
  }

  async heal(options: Partial<HealerOptions> = {}): Promise<Healer> {
    this.healer = openHealer({
      context: this.context,
      log: this.log,
      changes: await this.changes(),
      namespaceId: (netns) => namespaceId(this.#sockets.socket('route'), netns),
      readParameter,
      onRepaired: (drift) => this.repaired.push(drift),
      ...options,
    });
    await this.healer.sync();
    await this.healer.settled();
    return this.healer;
  }

  /** The built tsnet, another process on the same host. */
  tsnet(args: readonly string[]): Promise<string> {
    return must(process.execPath, [TSNET, ...args], { env: this.env });
  }

  async close(): Promise<void> {
    await this.healer?.close();
    this.#changes?.close();
    await this.#sockets.close();
    this.lab.close();
    // The host is the test's own namespace and lives on: brute force, so that no test sees what another made.
    const links = JSON.parse(await must('ip', ['-j', 'link'])) as { ifname: string; ifalias?: string }[];
    for (const { ifname, ifalias } of links) {
      if (ifalias?.startsWith('tsnet:') === true) await run('ip', ['link', 'delete', ifname]);
    }
    await this.engine.close();
    execFileSync('nft', ['flush', 'ruleset']);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
