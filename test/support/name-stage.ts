/**
 * A host with a name service on it, for kernel tests: the namespace of the test process plays the host (see isolation.ts), the
 * engine and the service run in this process.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BUILT_IN_DRIVERS } from '../../drivers/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { QueryResult } from '../../src/daemon/dns/answer.ts';
import { openNameService, type NameService } from '../../src/daemon/dns/name-service.ts';
import { givenDrivers } from '../../src/engine/drivers.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { makeEngine } from '../../src/engine/make-engine.ts';
import { changeLock } from '../../src/kernel/file-lock.ts';
import { soleBackend } from '../../src/kernel/firewall-backends.ts';
import { openIptables } from '../../src/kernel/iptables.ts';
import { openKernel } from '../../src/kernel/linux-kernel.ts';
import type { NameSocketKernel } from '../../src/kernel/name-sockets.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import type { Kernel } from '../../src/plan/kernel.ts';
import { openLedger } from '../../src/store/ledger.ts';
import { Lab, run, TSNET, type Namespace, type Outcome } from './lab.ts';

export interface Dig {
  /** "NOERROR", "NXDOMAIN" … */
  readonly status: string;
  readonly flags: readonly string[];
  /** Data of the answers that are of the asked type, or of all with `ANY`. */
  readonly answers: readonly string[];
  readonly text: string;
}

export class NameStage {
  readonly lab = new Lab();
  readonly dir = mkdtempSync(path.join(tmpdir(), 'tsnet-names-'));
  readonly hostResolvConf = path.join(this.dir, 'resolv.conf');
  readonly ledger: Ledger;
  readonly kernel: Kernel;
  readonly engine: Engine;
  readonly results: QueryResult[] = [];
  /** What was logged as a warning or an error. */
  readonly complaints: string[] = [];
  names: NameService;
  readonly #sockets: NameSocketKernel | undefined;

  constructor(sockets?: NameSocketKernel) {
    this.#sockets = sockets;
    this.nameservers();
    this.ledger = openLedger({ dataRoot: `${this.dir}/lib`, execRoot: `${this.dir}/run` });
    this.kernel = openKernel({ firewall: soleBackend('iptables', openIptables({ execRoot: `${this.dir}/run` })) });
    const config = loadConfig({ env: this.env });
    const self = this.kernel.processIdentity(process.pid);
    if (self === undefined) throw new Error('no /proc');
    const context = {
      ledger: this.ledger,
      kernel: this.kernel,
      config,
      drivers: givenDrivers(BUILT_IN_DRIVERS),
      ipamPlugins: { find: () => undefined, names: () => [] },
      lock: changeLock(`${this.dir}/run`),
      self,
      now: () => Date.now(),
      resolveContainer: (reference: string) =>
        Promise.resolve({
          origin: { kind: 'netns', path: reference } as const,
          name: path.basename(reference).replace(/^t\d+-/, ''),
          netnsPath: reference,
        }),
      version: 'test',
    };
    this.engine = makeEngine({ ledger: this.ledger, config, openContext: () => Promise.resolve(context) });
    this.names = this.openNames();
  }

  get env() {
    return {
      TSNET_DATA_ROOT: `${this.dir}/lib`,
      TSNET_EXEC_ROOT: `${this.dir}/run`,
      TSNET_CONFIG: `${this.dir}/none`,
      NODE_EXTRA_CA_CERTS: '',
    };
  }

  openNames(): NameService {
    const complain = (_: object, message: string): void => void this.complaints.push(`${message} ${JSON.stringify(_)}`);
    return openNameService({
      ledger: this.ledger,
      kernel: this.kernel,
      ...(this.#sockets === undefined ? {} : { sockets: this.#sockets }),
      execRoot: `${this.dir}/run`,
      hostResolvConf: this.hostResolvConf,
      resolverDefaults: () => ({ dns: [], dnsSearch: [], dnsOpts: [] }),
      log: { info: () => undefined, warn: complain, error: complain },
      now: () => Date.now(),
      onQuery: (result) => this.results.push(result),
    });
  }

  /** What the host's resolv.conf says from now on. */
  nameservers(...addresses: readonly string[]): void {
    writeFileSync(this.hostResolvConf, addresses.map((address) => `nameserver ${address}\n`).join(''));
  }

  /** A container of this name (and a number), on networks. */
  async container(role: string, ...networks: readonly string[]): Promise<Namespace & { readonly shown: string }> {
    const namespace = this.lab.namespace(role);
    for (const network of networks) await this.engine.connect({ network, container: namespace.path });
    await this.names.sync();
    return Object.assign(namespace, { shown: namespace.name.replace(/^t\d+-/, '') });
  }

  /** Runs the built tsnet on this host. */
  tsnet(...args: readonly string[]): Promise<Outcome> {
    return run(process.execPath, [TSNET, ...args], { env: this.env });
  }

  async close(): Promise<void> {
    await this.names.close();
    for (const { sandbox, endpoints } of await this.engine.listSandboxes()) {
      if (sandbox.origin.kind === 'own') await this.tsnet('stop', '--timeout', '0', sandbox.name);
      for (const { networkName } of endpoints) {
        await this.engine
          .disconnect({ network: networkName, container: sandbox.name, force: true })
          .catch(() => undefined);
      }
    }
    this.lab.close();
    await this.engine.pruneNetworks({});
    await this.engine.gc();
    await this.kernel.close();
    await this.ledger.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Asks 127.0.0.11 from inside, by dig. */
export async function dig(from: Namespace, name: string, type = 'A', ...more: readonly string[]): Promise<Dig> {
  const args = ['@127.0.0.11', '+tries=1', '+time=5', '+noedns', name, type, ...more];
  const { stdout } = await from.run('dig', args);
  const answers = stdout
    .split('\n')
    .filter((line) => /^[^;\s]/.test(line))
    .map((line) => line.split(/\s+/))
    .filter(([, , , found]) => found === type || type === 'ANY')
    .map((columns) => columns.slice(4).join(' '));
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none',
    flags: (/flags: ([^;]*)/.exec(stdout)?.[1] ?? '').split(' '),
    answers,
    text: stdout,
  };
}
