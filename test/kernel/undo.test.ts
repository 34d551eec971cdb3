import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUILT_IN_DRIVERS } from '../../drivers/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { givenDrivers } from '../../src/engine/drivers.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { makeEngine } from '../../src/engine/make-engine.ts';
import { changeLock } from '../../src/kernel/file-lock.ts';
import { soleBackend } from '../../src/kernel/firewall-backends.ts';
import { openIptables } from '../../src/kernel/iptables.ts';
import { openKernel } from '../../src/kernel/linux-kernel.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import type { Kernel } from '../../src/plan/kernel.ts';
import { openLedger } from '../../src/store/ledger.ts';
import { Lab, must, type Namespace } from '../support/lab.ts';

/** The namespace of this test process plays the host: it is one of its own (see isolation.ts). */
let lab: Lab;
let dir: string;
let ledger: Ledger;
let kernel: Kernel;
let container: Namespace;

beforeEach(() => {
  lab = new Lab();
  dir = mkdtempSync(path.join(tmpdir(), 'tsnet-undo-'));
  ledger = openLedger({ dataRoot: `${dir}/lib`, execRoot: `${dir}/run` });
  kernel = openKernel({ firewall: soleBackend('iptables', openIptables({ execRoot: `${dir}/run` })) });
  container = lab.namespace('c');
});
afterEach(async () => {
  await engineOn(kernel, ledger).gc();
  await kernel.close();
  await ledger.close();
  lab.close();
  rmSync(dir, { recursive: true, force: true });
});

function engineOn(onKernel: Kernel, onLedger: Ledger): Engine {
  const config = loadConfig({
    env: { TSNET_DATA_ROOT: `${dir}/lib`, TSNET_EXEC_ROOT: `${dir}/run`, TSNET_CONFIG: `${dir}/none` },
  });
  const self = kernel.processIdentity(process.pid);
  if (self === undefined) throw new Error('no /proc');
  const context = {
    ledger: onLedger,
    kernel: onKernel,
    config,
    drivers: givenDrivers(BUILT_IN_DRIVERS),
    ipamPlugins: { find: () => undefined, names: () => [] },
    lock: changeLock(`${dir}/run`),
    self,
    now: () => Date.now(),
    resolveContainer: (reference: string) =>
      Promise.resolve({ origin: { kind: 'netns', path: reference } as const, name: 'c', netnsPath: reference }),
    version: 'test',
  };
  // The engines of a test share one kernel; the test closes it.
  return makeEngine({ ledger: onLedger, config, openContext: () => Promise.resolve(context) });
}

/** A kernel that makes `steps` resources for real and then fails, as often as it is asked. */
function failingAfter(steps: number): Kernel {
  return {
    ...kernel,
    ensure: async (plan, namespaces) => {
      await kernel.ensure(plan.slice(0, steps), namespaces);
      if (plan.length > steps) throw new Error(`injected: step ${steps}`);
    },
  };
}

/** A ledger whose write number `count` fails; the ones before and after are real. */
function failingWrite(count: number): Ledger {
  let writes = 0;
  const countOne = (): void => {
    writes += 1;
    if (writes === count) throw new Error(`injected: write ${count}`);
  };
  return {
    ...ledger,
    change: (make) => {
      countOne();
      return ledger.change(make);
    },
    changeNetworks: (make) => {
      countOne();
      return ledger.changeNetworks(make);
    },
  };
}

async function snapshot(): Promise<unknown> {
  const rules = (await must('iptables-save', [])).replace(/^#.*$/gm, '').replace(/\[\d+:\d+\]/g, '');
  const { endpoints, leases, publishedPorts, pending } = await engineOn(kernel, ledger).info();
  return {
    links: await must('ip', ['-o', 'link']).then((text) => text.replace(/^\d+: |<.*?>|qdisc.*?(?=link)/gm, '')),
    inside:
      (await container.must('ip', ['-o', 'link'])).replace(/state.*|<.*?>/g, '') +
      (await container.must('ip', ['route', 'show', 'table', 'all', 'type', 'unicast', 'proto', '157'])),
    rules,
    endpoints,
    leases,
    publishedPorts,
    pending,
  };
}

describe('a connect that fails', () => {
  const request = { network: 'web', ports: ['8080:80', '9000-9010:9000-9010/udp'] } as const;

  it('at any resource of its plan undoes everything before it', async () => {
    const engine = engineOn(kernel, ledger);
    await engine.createNetwork({ name: 'web', enableIPv6: true });
    const { plan } = await engine.connect({ ...request, container: container.path, dryRun: true });
    const before = await snapshot();
    expect(plan.length).toBeGreaterThan(8);
    for (let steps = 0; steps < plan.length; steps += 1) {
      await expect(
        engineOn(failingAfter(steps), ledger).connect({ ...request, container: container.path }),
      ).rejects.toThrow(new RegExp(`connect c to web: .*injected: step ${steps}`));
      expect({ steps, after: await snapshot() }).toEqual({ steps, after: before });
      expect(await engine.diff()).toEqual([]);
    }
    await engine.connect({ ...request, container: container.path });
    expect(await engine.diff()).toEqual([]);
    await engine.disconnect({ network: 'web', container: 'c' });
    await engine.removeNetwork({ network: 'web' });
  });

  it('at any write of the ledger leaves nothing that the next change does not undo', async () => {
    const engine = engineOn(kernel, ledger);
    await engine.createNetwork({ name: 'web' });
    for (let write = 1; write <= 3; write += 1) {
      const failing = engineOn(kernel, failingWrite(write));
      const failed = await failing.connect({ ...request, container: container.path }).then(
        () => false,
        () => true,
      );
      if (!failed || (await engine.info()).endpoints > 0)
        await engine.disconnect({ network: 'web', container: 'c' }).catch(() => undefined);
      await engine.repair();
      expect({ write, drift: await engine.diff(), endpoints: (await engine.info()).endpoints }).toEqual({
        write,
        drift: [],
        endpoints: 0,
      });
    }
    await engine.removeNetwork({ network: 'web' });
  });
});

describe('a create that fails', () => {
  it('at any resource of its plan undoes everything before it', async () => {
    const engine = engineOn(kernel, ledger);
    const { plan } = await engine.createNetwork({ name: 'web', dryRun: true });
    const before = await snapshot();
    for (let steps = 0; steps < plan.length; steps += 1) {
      await expect(engineOn(failingAfter(steps), ledger).createNetwork({ name: 'web' })).rejects.toThrow(
        /create network web: .*injected/,
      );
      expect({ steps, after: await snapshot() }).toEqual({ steps, after: before });
      expect((await engine.listNetworks()).map(({ name }) => name).sort()).toEqual(['bridge', 'host', 'none']);
    }
  });
});
