import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, TSNET, type Host, type Namespace } from '../support/lab.ts';

const CUTS = 100;

let lab: Lab;
let host: Host;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(() => {
  lab.close();
});

/** What a change does to the world, from the ledger's writes to the programs it starts: the places to be cut at. */
const DEEDS = ['sendmsg', 'pwrite64', 'setns', 'clone'];

/** Starts tsnet on the host; SIGKILL hits it when it does `deed` for the n-th time. Resolves when it has ended either way. */
function cutAt(args: readonly string[], deed: string, nth: number): Promise<void> {
  const inject = [
    '-f',
    '-qqq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${deed}`,
    '-e',
    `inject=${deed}:signal=SIGKILL:when=${nth}`,
  ];
  return new Promise((resolve) => {
    const child = spawn('nsenter', [`--net=${host.path}`, 'strace', ...inject, process.execPath, TSNET, ...args], {
      env: { ...process.env, ...host.env },
      stdio: 'ignore',
    });
    child.on('exit', () => {
      resolve();
    });
  });
}

/** Starts tsnet on the host and kills it after `afterMs`; resolves when it has ended either way. */
function cut(args: readonly string[], afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn('nsenter', [`--net=${host.path}`, process.execPath, TSNET, ...args], {
      env: { ...process.env, ...host.env },
      stdio: 'ignore',
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A repeatable sequence in [0, 1): a failure can be run again (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface InfoJson {
  readonly endpoints: number;
  readonly leases: number;
  readonly pending: number;
}

async function info(): Promise<InfoJson> {
  return JSON.parse(await host.mustTsnet(['info', '--format', 'json'])) as InfoJson;
}

function pick<T>(choices: readonly T[], next: () => number): T {
  const choice = choices[Math.floor(next() * choices.length)];
  if (choice === undefined) throw new Error('nothing to choose from');
  return choice;
}

/** Changes that have something to do: a refused one would be cut for nothing. */
async function possibleChanges(container: Namespace, round: number): Promise<string[][]> {
  const row = await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}} {{.Ports}}']);
  const [, networks = '', ports = ''] =
    row
      .split('\n')
      .find((line) => line.startsWith(`${container.name} `))
      ?.split(' ') ?? [];
  const on = networks.split(',');
  const changes = ['web', 'bridge'].map((network) =>
    on.includes(network)
      ? ['disconnect', network, container.path]
      : ['connect', '-p', `${8000 + round}:80`, network, container.path],
  );
  if (on.includes('bridge')) {
    changes.push(
      ports.includes('->81/tcp')
        ? ['unpublish', 'bridge', container.path, '81']
        : ['publish', 'bridge', container.path, `${9000 + round}:81`],
    );
  }
  const name = `n${round % 3}`;
  const exists = (await host.mustTsnet(['ls', '--format', '{{.Name}}'])).split('\n').includes(name);
  return [...changes, exists ? ['rm', name] : ['create', name]];
}

describe('kill -9', () => {
  it(`at ${CUTS} random points leaves nothing that the next change, repair and gc do not finish or undo`, async () => {
    const next = random(Number(process.env['CRASH_SEED'] ?? 20261122));
    const containers: Namespace[] = [lab.namespace('c'), lab.namespace('c'), lab.namespace('c')];
    await host.mustTsnet(['create', 'web']);
    let unfinished = 0;
    for (let round = 0; round < CUTS; round += 1) {
      const container = containers[round % containers.length];
      if (container === undefined) throw new Error('no container');
      const command = pick(await possibleChanges(container, round), next);
      const deed = pick(DEEDS, next);
      // One in four is cut at a moment instead, wherever it is by then.
      if (round % 4 === 0) await cut(command, 60 + next() * 80);
      else await cutAt(command, deed, 1 + Math.floor(next() * 14));
      if ((await info()).pending > 0) unfinished += 1;
      // Every fourth time a change comes first instead: recovery is implicit.
      if (round % 4 === 3) await host.tsnet(['create', 'probe']).then(() => host.tsnet(['rm', 'probe']));
      else await host.mustTsnet(round % 2 === 0 ? ['repair'] : ['gc']);
      await host.mustTsnet(['repair']);
      expect({ round, command, diff: (await host.tsnet(['diff'])).stdout }).toEqual({ round, command, diff: '' });
      const { endpoints, leases, pending } = await info();
      expect({ round, command, leases, pending }).toEqual({ round, command, leases: endpoints, pending: 0 });
    }
    // Cuts that hit nothing would prove nothing.
    expect(unfinished).toBeGreaterThan(CUTS / 10);
    for (const container of containers) {
      for (const network of ['web', 'bridge']) await host.tsnet(['disconnect', network, container.path]);
      expect(await container.must('ip', ['-o', 'link'])).not.toContain('eth');
    }
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('veth');
    expect(await host.must('iptables-save')).not.toContain('--to-destination');
  }, 600_000);

  it('of tsnet run leaves a container that lives on, and is cleaned when its process is gone', async () => {
    const running = spawn(
      'nsenter',
      [`--net=${host.path}`, process.execPath, TSNET, 'run', '--name', 'box', '--', 'sleep', '300'],
      {
        env: { ...process.env, ...host.env },
        stdio: 'ignore',
      },
    );
    const ended = new Promise((resolve) => running.on('exit', resolve));
    const processOf = async (): Promise<number | undefined> => {
      const views = JSON.parse(
        `[${(await host.mustTsnet(['ps', '--no-trunc', '--format', 'json'])).split('\n').filter(Boolean).join(',')}]`,
      ) as unknown[];
      return views.length;
    };
    while ((await processOf()) !== 1) await info();
    while (!(await host.tsnet(['exec', 'box', '--', 'true'])).status.toString().startsWith('0')) await info();
    running.kill('SIGKILL');
    await ended;
    expect(await host.mustTsnet(['exec', 'box', '--', 'ip', '-o', '-4', 'address', 'show', 'eth0'])).toContain(
      '172.17.0.2/16',
    );
    expect(await host.mustTsnet(['gc'])).toBe('');
    await host.mustTsnet(['stop', '-t', '0', 'box']);
    expect(await info()).toMatchObject({ endpoints: 0, leases: 0, pending: 0 });
    expect(await host.mustTsnet(['diff'])).toBe('');
  });
});
