/**
 * A ledger on disks of two megabytes: what happens when they are full, and when they are somebody else's.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from 'vitest';
import { TsnetError } from '../../src/model/error.ts';
import type { Ledger } from '../../src/model/ledger.ts';
import { openLedger } from '../../src/store/ledger.ts';
import { idOf, network, sandbox } from '../unit/store/records.ts';

const WEB = network('web');
const REFUSED_AGAIN_AND_AGAIN = '200';
const PROBE = path.resolve(import.meta.dirname, `../../node_modules/.cache/tsnet-test/open-ledger-${process.pid}.mjs`);

let root: string;
let dataRoot: string;
let execRoot: string;

function mountTiny(directory: string): void {
  mkdirSync(directory, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=755', 'tmpfs', directory]);
}

/** Fills the disk to the last byte. */
function fill(directory: string): string {
  const file = path.join(directory, 'ballast');
  spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=4k'], { stdio: 'ignore' });
  expect(statfsSync(directory).bavail).toBe(0);
  return file;
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(TsnetError);
    expect((error as TsnetError).message).not.toContain('\n');
    return `${(error as TsnetError).code}: ${(error as TsnetError).message}`;
  }
}

/** Opens and reads the ledger in a process of its own: a crash there is a result here. */
function openElsewhere(
  user?: number,
  ...more: readonly string[]
): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', PROBE, dataRoot, execRoot, ...more], {
    encoding: 'utf8',
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  return { status, output: stdout + stderr };
}

beforeAll(async () => {
  mkdirSync(path.dirname(PROBE), { recursive: true });
  await build({
    stdin: {
      contents: `
        import { openLedger } from './src/store/ledger.ts';
        import { sandbox } from './test/unit/store/records.ts';
        const [dataRoot, execRoot, refusals = 0] = process.argv.slice(2);
        const refusedAgainAndAgain = (ledger) => {
          for (let made = 0, refused = 0; refused < refusals; made += 1) {
            try {
              const next = sandbox('box-' + made, { command: ['x'.repeat(3000)] });
              ledger.change((change) => change.putSandbox(next));
            } catch (error) {
              if (!/the disk is full/.test(error.message)) throw error;
              refused += 1;
            }
          }
          // Memory that was written to beyond its end is found out when it is given back.
          for (let round = 0; round < 20; round += 1) gc();
          if (refusals > 0) process.stdout.write('refused ' + refusals + ', ');
        };
        try {
          const ledger = openLedger({ dataRoot, execRoot });
          refusedAgainAndAgain(ledger);
          console.log('networks', ledger.read((view) => view.networks().length));
          await ledger.close();
        } catch (error) {
          console.log(error.code, error.message);
        }`,
      resolveDir: path.resolve(import.meta.dirname, '../..'),
      loader: 'ts',
    },
    outfile: PROBE,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
});

afterAll(() => {
  rmSync(PROBE, { force: true });
});

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tsnet-full-'));
  dataRoot = path.join(root, 'lib');
  execRoot = path.join(root, 'run');
});

afterEach(() => {
  for (const directory of [dataRoot, execRoot]) spawnSync('umount', ['-l', directory], { stdio: 'ignore' });
  rmSync(root, { recursive: true, force: true });
});

/** Makes sandboxes until the disk is full; the names of those that were acknowledged. */
function fillBySandboxes(ledger: Ledger): string[] {
  const made: string[] = [];
  for (;;) {
    const next = sandbox(`box-${made.length}`, { command: ['x'.repeat(3000)] });
    const refusal = codeOf(() => {
      ledger.change((change) => {
        change.putSandbox(next);
        change.holdAddress(
          WEB.id,
          `10.0.${made.length >> 8}.${made.length & 255}`,
          { kind: 'endpoint', endpointId: next.id },
          'dynamic',
        );
      });
    });
    if (refusal !== undefined) {
      expect(refusal).toMatch(/^LEDGER: write the ledger in .*: the disk is full; free some space and try again/);
      return made;
    }
    made.push(next.name);
    expect(made.length).toBeLessThan(5000);
  }
}

describe('exec-root full', () => {
  test('a change fails whole, what was there stays readable, and freed space heals it', async () => {
    mountTiny(execRoot);
    const reserve = path.join(execRoot, 'reserve');
    writeFileSync(reserve, Buffer.alloc(512 * 1024));
    const ledger = openLedger({ dataRoot, execRoot });
    const made = fillBySandboxes(ledger);
    expect(made.length).toBeGreaterThan(50);
    ledger.read((view) => {
      expect(view.sandboxes()).toHaveLength(made.length);
      expect(view.leases(WEB.id)).toHaveLength(made.length);
      for (const name of made) expect(view.sandboxByName(name)?.name).toBe(name);
    });
    rmSync(reserve);
    ledger.change((change) => {
      for (const name of made.slice(0, 20)) change.deleteSandbox(idOf(`sandbox ${name}`));
    });
    ledger.change((change) => {
      change.putSandbox(sandbox('after'));
    });
    expect(ledger.read((view) => view.sandboxByName('after')?.name)).toBe('after');
    await ledger.close();
    expect(openElsewhere()).toEqual({ status: 0, output: 'networks 0\n' });
  });

  test('a process whose changes are refused again and again goes on', () => {
    mountTiny(execRoot);
    const { status, output } = openElsewhere(undefined, REFUSED_AGAIN_AND_AGAIN);
    expect([status, output]).toEqual([0, 'refused 200, networks 0\n']);
  });

  test('a change of both parts takes back the part that was written', async () => {
    mountTiny(execRoot);
    const ledger = openLedger({ dataRoot, execRoot });
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
    });
    fillBySandboxes(ledger);
    const refusal = codeOf(() => {
      ledger.changeNetworks((change) => {
        change.deleteNetwork(WEB.id);
        change.putNetwork(network('other'));
        change.putSandbox(sandbox('big', { command: ['x'.repeat(100_000)] }));
      });
    });
    expect(refusal).toMatch(/^LEDGER: .*the disk is full/);
    ledger.read((view) => {
      expect(view.networks()).toEqual([WEB]);
      expect(view.networkByName('web')).toEqual(WEB);
      expect(view.networkByName('other')).toBeUndefined();
    });
    await ledger.close();
  });

  test('opening says so, whether the ledger is there or not', () => {
    mountTiny(execRoot);
    const ballast = fill(execRoot);
    expect(openElsewhere().output).toMatch(/^LEDGER open the ledger in .*: the disk is full/);
    rmSync(ballast);
    expect(openElsewhere()).toEqual({ status: 0, output: 'networks 0\n' });
    fill(execRoot);
    expect(openElsewhere()).toEqual({ status: 0, output: 'networks 0\n' });
  });
});

describe('data-root full', () => {
  test('a new network is refused whole, and reading goes on', async () => {
    mountTiny(dataRoot);
    const ledger = openLedger({ dataRoot, execRoot });
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
    });
    const ballast = fill(dataRoot);
    const other = network('other', { labels: { long: 'x'.repeat(50_000) } });
    const attempt = (): void => {
      ledger.changeNetworks((change) => {
        change.putNetwork(other);
        change.setRealized(other.id, true);
      });
    };
    expect(codeOf(attempt)).toMatch(/^LEDGER: .*the disk is full/);
    ledger.read((view) => {
      expect(view.networks()).toEqual([WEB]);
      expect(view.isRealized(other.id)).toBe(false);
    });
    rmSync(ballast);
    attempt();
    expect(ledger.read((view) => view.networkByName('other')?.id)).toBe(other.id);
    await ledger.close();
  });

  test('opening a new one says so', () => {
    mountTiny(dataRoot);
    fill(dataRoot);
    expect(openElsewhere().output).toMatch(/^LEDGER open the ledger in .*: the disk is full/);
  });
});

describe('a disk that may not be written', () => {
  test('is named when it is read-only', () => {
    mountTiny(dataRoot);
    execFileSync('mount', ['-o', 'remount,ro', dataRoot]);
    expect(openElsewhere().output).toMatch(/^LEDGER open the ledger in .*: the file system is read-only/);
  });

  test("is a matter of permission when it is another user's", async () => {
    execFileSync('chmod', ['755', root]);
    const ledger = openLedger({ dataRoot, execRoot });
    await ledger.close();
    const { status, output } = openElsewhere(65534);
    expect(status).toBe(0);
    expect(output).toMatch(
      /^PERMISSION open the ledger in .*: permission denied; run tsnet as root, or through its daemon\n$/,
    );
    rmSync(dataRoot, { recursive: true });
    expect(openElsewhere(65534).output).toMatch(/^PERMISSION/);
  });
});
