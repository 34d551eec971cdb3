import { describe, expect, test } from 'vitest';
import type { ClusterHost } from '../../../src/engine/cluster.ts';
import { TsnetError } from '../../../src/model/error.ts';
import { makeFakeEngine } from './fake-engine.ts';
import { tsnet } from './run-cli.ts';

const HOSTS: ClusterHost[] = [
  {
    id: 'bbbb',
    name: 'two',
    address: '192.168.77.2',
    state: 'dead',
    isSelf: false,
    silentSince: new Date(Date.now() - 300_500).toISOString(),
    networks: [
      { network: 'ov', addresses: 2, blocks: [] },
      { network: 'big', addresses: 0, blocks: ['10.78.3.0/24'] },
    ],
  },
  { id: 'aaaa', name: 'one', address: '192.168.77.1', state: 'alive', isSelf: true, networks: [] },
  { id: 'cccc', name: 'three', state: 'dead', isSelf: false, networks: [] },
];
const engine = () => makeFakeEngine({ hosts: HOSTS });

describe('cluster ls', () => {
  test('shows who is there, who is not, and what they have', async () => {
    expect((await tsnet(['cluster', 'ls'], { engine: engine() })).stdout).toBe(
      [
        'HOST ID   NAME      ADDRESS        STATUS               NETWORKS   ADDRESSES   BLOCKS',
        'aaaa      one       192.168.77.1   alive (this host)               0           0',
        'cccc      three     -              dead                            0           0',
        'bbbb      two       192.168.77.2   dead for 5 minutes   ov,big     2           1',
        '',
      ].join('\n'),
    );
    expect((await tsnet(['cluster', 'ls', '-q'], { engine: engine() })).stdout).toBe('aaaa\ncccc\nbbbb\n');
    const rows = (await tsnet(['cluster', 'ls', '--format', 'json'], { engine: engine() })).stdout.trim().split('\n');
    expect(rows.map((row) => (JSON.parse(row) as { Blocks: string }).Blocks)).toEqual(['0', '0', '1']);
  });
});

describe('cluster rm', () => {
  test('says what each of them had, and goes on after an error', async () => {
    const run = await tsnet(['cluster', 'rm', 'nobody', 'two', 'cccc'], { engine: engine() });
    expect(run.status).toBe(1);
    expect(run.stdout).toBe(
      'two (bbbb): gave back 2 addresses and 1 block (10.78.3.0/24) in ov, big\nthree (cccc): gave back nothing\n',
    );
    expect(run.stderr).toBe('tsnet: remove host nobody: no such host\n');
  });

  test('only says what would go with --dry-run, and minds no host that is gone with --force', async () => {
    const run = await tsnet(['cluster', 'rm', '--dry-run', 'two'], { engine: engine() });
    expect(run.stdout).toMatch(/^two \(bbbb\): would give back 2 addresses/);
    expect(run.engine.calls[0]).toEqual(['removeClusterHost', { host: 'two', dryRun: true }]);
    expect(await tsnet(['cluster', 'rm', '-f', 'nobody'], { engine: engine() })).toMatchObject({
      status: 0,
      stderr: '',
    });
    const failing = makeFakeEngine({ failure: new TsnetError('FORBIDDEN', 'remove host two: it is alive') });
    const forced = await tsnet(['cluster', 'rm', '-f', 'two'], { engine: failing });
    expect(forced).toMatchObject({ status: 1, stderr: 'tsnet: remove host two: it is alive\n' });
  });

  test('completes hosts by their ids', async () => {
    const run = await tsnet(['__complete', '--', 'cluster', 'rm', 'b'], { engine: engine() });
    expect(run.stdout).toBe('bbbb\ttwo dead\n');
    expect((await tsnet(['__complete', '--', 'cluster', ''])).stdout).toMatch(/^ls\t.*\nrm\t/);
  });
});
