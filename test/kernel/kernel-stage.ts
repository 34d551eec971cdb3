/**
 * What the tests of the kernel layer share: a kernel without firewall, one sandbox, and the test's own namespace as host.
 */
import { statSync } from 'node:fs';
import type { Netns } from '../../src/model/records.ts';
import type { Kernel, Observation } from '../../src/plan/kernel.ts';
import type { Plan, VethResource } from '../../src/plan/resource.ts';
import { soleBackend } from '../../src/kernel/firewall-backends.ts';
import { noFirewall } from '../../src/kernel/firewall-executor.ts';
import { openKernel, type KernelOptions } from '../../src/kernel/linux-kernel.ts';
import { Lab, must, type Namespace } from '../support/lab.ts';

export const BRIDGE = 'tsk0';
export const SANDBOX = 'a'.repeat(64);
export const PLACE = { sandbox: SANDBOX } as const;

export const bridge = {
  kind: 'bridge',
  name: BRIDGE,
  mtu: 1450,
  mac: '02:42:5e:00:00:01',
  adopted: false,
  tag: 'tsnet:network',
} as const;

export const veth: VethResource = {
  kind: 'veth',
  sandbox: SANDBOX,
  host: 'tskveth0',
  peer: 'eth0',
  master: BRIDGE,
  mtu: 1450,
  mac: '02:42:ac:11:00:02',
  hairpin: true,
  isolated: false,
  tag: 'tsnet:endpoint',
};

export class Stage {
  readonly lab = new Lab();
  readonly sandbox: Namespace = this.lab.namespace('sandbox');
  readonly kernel: Kernel;
  readonly namespaces: Map<string, Netns>;

  constructor(options: Partial<KernelOptions> = {}) {
    this.kernel = openKernel({ firewall: soleBackend('none', noFirewall), ...options });
    this.namespaces = new Map([[SANDBOX, identify(this.sandbox.path)]]);
  }

  ensure(plan: Plan): Promise<void> {
    return this.kernel.ensure(plan, this.namespaces);
  }

  remove(plan: Plan): Promise<void> {
    return this.kernel.remove(plan, this.namespaces);
  }

  observe(plan: Plan): Promise<Observation[]> {
    return this.kernel.observe(plan, this.namespaces);
  }

  /** "present", "missing" or the detail of what is wrong, one a resource. */
  async states(plan: Plan): Promise<string[]> {
    return (await this.observe(plan)).map((seen) => (seen.state === 'wrong' ? seen.detail : seen.state));
  }

  async close(): Promise<void> {
    await this.kernel.close();
    this.lab.close();
    for (const name of [BRIDGE, veth.host, 'tskother']) {
      await must('sh', ['-c', `ip link delete ${name} 2>/dev/null || true`]);
    }
  }
}

/** The namespace at a path, found without the code under test. */
export function identify(path: string): Netns {
  const { dev, ino } = statSync(path);
  return { path, device: dev, inode: ino };
}

export interface IpLink {
  readonly ifname: string;
  readonly mtu: number;
  readonly address: string;
  readonly flags: readonly string[];
  readonly ifalias?: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_slave_data?: { readonly hairpin: boolean; readonly isolated: boolean };
  };
}

/** One link as `ip` shows it. */
export async function ipLink(name: string, namespace?: Namespace): Promise<IpLink> {
  const where = namespace === undefined ? [] : ['-n', namespace.name];
  const [link] = JSON.parse(await must('ip', [...where, '-d', '-j', 'link', 'show', 'dev', name])) as IpLink[];
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

export async function hasLink(name: string): Promise<boolean> {
  const links = JSON.parse(await must('ip', ['-j', 'link'])) as IpLink[];
  return links.some(({ ifname }) => ifname === name);
}
