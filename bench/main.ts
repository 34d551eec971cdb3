/**
 * `make bench`: where tsnet stands, as ratios of medians measured in turn in one run. Runs in namespaces of its own; absolute
 * times depend on the machine and its neighbours, the ratios much less.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openContext } from '../src/cli/open-context.ts';
import { loadConfig } from '../src/config/load.ts';
import type { EngineContext } from '../src/engine/context.ts';
import type { Engine } from '../src/engine/engine.ts';
import { makeEngine } from '../src/engine/make-engine.ts';
import { chooseAddress } from '../src/ipam/choose-address.ts';
import type { Ledger } from '../src/model/ledger.ts';
import type { Netns } from '../src/model/records.ts';
import { openLedger } from '../src/store/ledger.ts';
import { attachBare, detachBare, openFloor, restore } from './kernel-floor.ts';
import { inTurn, quantile, renderRows, timed, type Row } from './table.ts';

const RUNS = 60;
const CROWD = 1000;

interface Bench {
  readonly context: EngineContext;
  readonly engine: Engine;
  readonly ledger: Ledger;
  readonly dir: string;
  /** A namespace that plays a container. */
  readonly container: (name: string) => Netns;
}

function open(dir: string): Bench {
  const config = loadConfig({
    env: { TSNET_DATA_ROOT: `${dir}/lib`, TSNET_EXEC_ROOT: `${dir}/run`, TSNET_CONFIG: `${dir}/none` },
  });
  const ledger = openLedger({ dataRoot: config.dataRoot, execRoot: config.execRoot });
  const context = openContext(config, ledger);
  return {
    context,
    ledger,
    dir,
    engine: makeEngine({ ledger, config, openContext: () => Promise.resolve(context) }),
    container: (name) => context.kernel.createNetns(path.join(dir, 'netns', name)),
  };
}

/** Attach to a network, with a published port or without, beside the bare kernel calls. */
async function attachRows({ engine, container }: Bench): Promise<Row[]> {
  const [ours, bare] = [container('ours'), container('bare')];
  await engine.createNetwork({ name: 'web', ipam: [{ subnet: '10.10.0.0/16' }], options: { 'bridge.name': 'bench0' } });
  const floor = await openFloor('bench0');
  const endpoint = {
    netns: bare,
    host: 'bare0',
    mac: '02:42:0a:0a:63:63',
    address: '10.10.99.99/16',
    gateway: '10.10.0.1',
  };
  const rules = (verb: string): string =>
    `*nat\n${verb} TSNET -p tcp -m tcp --dport 9 -j DNAT --to-destination 10.10.99.99:9\n${verb} TSNET-POSTROUTING -s 10.10.99.99/32 -d 10.10.99.99/32 -p tcp -m tcp --dport 9 -j MASQUERADE\nCOMMIT\n`;
  const row = async (name: string, ports: readonly string[]): Promise<{ attach: Row; detach: Row }> => {
    const detaches = { ours: [] as number[], peer: [] as number[] };
    const attach = await inTurn(
      RUNS,
      async () => {
        const took = await timed(() => engine.connect({ network: 'web', container: ours.path, ports }));
        detaches.ours.push(await timed(() => engine.disconnect({ network: 'web', container: ours.path })));
        return took;
      },
      async () => {
        const took = await timed(async () => {
          await attachBare(floor, endpoint);
          if (ports.length > 0) await restore(rules('-A'));
        });
        detaches.peer.push(
          await timed(async () => {
            if (ports.length > 0) await restore(rules('-D'));
            await detachBare(floor, endpoint.host);
          }),
        );
        return took;
      },
    );
    const peerName = ports.length > 0 ? 'bare netlink + iptables-restore' : 'bare netlink';
    return {
      attach: { name: `attach ${name}`, ...attach, peerName, atMost: 4 },
      detach: { name: `detach ${name}`, ...detaches, peerName, atMost: 8 },
    };
  };
  const plain = await row('without a port', []);
  const published = await row('with a published port', ['8080:80']);
  await floor.host.close();
  return [published.attach, plain.attach, published.detach];
}

/**
 * Attach number 1,000 of a network beside number 1 (a Linux bridge takes 1,023 ports), and the same for the bare kernel calls:
 * the kernel goes over all ports of a bridge when one is added.
 */
async function crowdRows({ engine, container }: Bench): Promise<Row[]> {
  await engine.createNetwork({
    name: 'crowd',
    ipam: [{ subnet: '10.20.0.0/16' }],
    options: { 'bridge.name': 'crowd0' },
  });
  const floor = await openFloor('crowd0');
  const [ours, bare] = [container('crowd-ours'), container('crowd-bare')];
  const endpoint = {
    netns: bare,
    host: 'bare1',
    mac: '02:42:0a:14:63:63',
    address: '10.20.99.99/16',
    gateway: '10.20.0.1',
  };
  const sample = (): Promise<{ ours: number[]; peer: number[] }> =>
    inTurn(
      RUNS,
      async () => {
        const took = await timed(() => engine.connect({ network: 'crowd', container: ours.path }));
        await engine.disconnect({ network: 'crowd', container: ours.path });
        return took;
      },
      async () => {
        const took = await timed(() => attachBare(floor, endpoint));
        await detachBare(floor, endpoint.host);
        return took;
      },
    );
  const first = await sample();
  for (let index = 1; index < CROWD; index += 1) {
    await engine.connect({ network: 'crowd', container: container(`crowd${index}`).path });
  }
  const last = await sample();
  await floor.host.close();
  const name = `number ${CROWD} of a network`;
  return [
    { name: `attach ${name}`, ours: last.ours, peer: first.ours, peerName: 'attach number 1', atMost: 1.5 },
    {
      name: `bare netlink ${name}`,
      ours: last.peer,
      peer: first.peer,
      peerName: 'bare netlink number 1',
      atMost: Infinity,
    },
  ];
}

/** One lease at 60,000 held beside one at 10. */
function leaseRow({ ledger }: Bench): Row {
  const lease = (networkId: string): number => {
    const started = performance.now();
    ledger.change((change) => {
      const { address } = chooseAddress({
        network: networkId,
        pools: [{ subnet: '10.30.0.0/16', gateway: '10.30.0.1', aux: {} }],
        family: 4,
        leases: change.leasesFor(networkId, 4),
      });
      change.holdAddress(networkId, address, { kind: 'endpoint', endpointId: 'e' }, 'dynamic');
    });
    return performance.now() - started;
  };
  const fill = (networkId: string, count: number): void => {
    ledger.change((change) => {
      for (let held = 0; held < count; held += 1) {
        const { address } = chooseAddress({
          network: networkId,
          pools: [{ subnet: '10.30.0.0/16', gateway: '10.30.0.1', aux: {} }],
          family: 4,
          leases: change.leasesFor(networkId, 4),
        });
        change.holdAddress(networkId, address, { kind: 'endpoint', endpointId: 'e' }, 'dynamic');
      }
    });
  };
  fill('few', 10);
  fill('many', 60_000);
  const [few, many]: [number[], number[]] = [[], []];
  for (let run = 0; run < 500; run += 1) {
    many.push(lease('many'));
    few.push(lease('few'));
  }
  return { name: 'lease at 60,000 held', ours: many, peer: few, peerName: 'lease at 10 held', atMost: 1.5 };
}

async function startRow(dir: string): Promise<Row> {
  const env = {
    ...process.env,
    TSNET_DATA_ROOT: `${dir}/lib`,
    TSNET_EXEC_ROOT: `${dir}/run`,
    TSNET_CONFIG: `${dir}/none`,
  };
  const node = (args: readonly string[]): Promise<number> =>
    timed(() => {
      const { status } = spawnSync(process.execPath, args, { env, stdio: 'ignore' });
      return status === 0
        ? Promise.resolve()
        : Promise.reject(new Error(`${args.join(' ')}: status ${String(status)}`));
    });
  const tsnet = path.join(import.meta.dirname, '..', 'tsnet.js');
  const samples = await inTurn(
    30,
    () => node([tsnet, 'ls']),
    () => node(['-e', '0']),
  );
  return { name: 'tsnet ls, start to end', ...samples, peerName: 'node -e 0', atMost: 2 };
}

async function main(): Promise<void> {
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-bench-'));
  execFileSync('mkdir', ['-p', `${dir}/netns`]);
  const bench = open(dir);
  const rows: Row[] = [];
  try {
    await bench.engine.listNetworks();
    rows.push(...(await attachRows(bench)));
    rows.push(leaseRow(bench));
    rows.push(await startRow(dir));
    rows.push(...(await crowdRows(bench)));
  } finally {
    await bench.engine.close();
    execFileSync('sh', ['-c', `grep -F '${dir}' /proc/self/mounts | cut -d' ' -f2 | xargs -r umount -l`]);
    rmSync(dir, { recursive: true, force: true });
  }
  process.stdout.write(`${renderRows(rows)}\n`);
  const file = process.argv[process.argv.indexOf('--json') + 1];
  if (process.argv.includes('--json') && file !== undefined) {
    const json = rows.map(({ ours, peer, ...row }) => ({
      ...row,
      medianMs: quantile(ours, 0.5),
      p95Ms: quantile(ours, 0.95),
      peerMedianMs: quantile(peer, 0.5),
      peerP95Ms: quantile(peer, 0.95),
      ratio: quantile(ours, 0.5) / quantile(peer, 0.5),
    }));
    writeFileSync(file, `${JSON.stringify(json, null, 2)}\n`);
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
