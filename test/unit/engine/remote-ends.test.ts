import { describe, expect, test } from 'vitest';
import overlay from '../../../drivers/overlay/driver.ts';
import { guardPlan, remoteEndsPlan } from '../../../src/engine/remote-ends.ts';
import type { EngineContext } from '../../../src/engine/context.ts';
import { sampleNetwork } from '../../../src/public/samples.ts';

const CLUSTER = { vnis: [4097], underlayMtu: 1500, outerFamily: 4, port: 4789 } as const;
const network = (name: string, port = 4789) =>
  sampleNetwork(overlay, {
    cluster: { ...CLUSTER, port },
    underlay: { vtep: '192.168.77.1' },
    draft: { name },
  });

/** A context of which nothing but this is asked. */
function context(known: Pick<EngineContext, 'remotePeers' | 'clusterVteps'> = {}): EngineContext {
  return { drivers: { of: () => overlay }, ...known } as unknown as EngineContext;
}

describe('what a network has on other hosts', () => {
  const peer = { kind: 'endpoint', addresses: ['10.9.0.5'], mac: '02:42:0a:09:00:05', vtep: '192.168.77.2' } as const;

  test('is planned by its driver', () => {
    const plan = remoteEndsPlan(context({ remotePeers: () => [peer] }), network('web'));
    expect(plan?.map(({ kind }) => kind)).toEqual(['fdb', 'neighbour']);
  });

  test('is not known to who is in no cluster, nor while the store has not been read; known and empty is something else', () => {
    expect(remoteEndsPlan(context(), network('web'))).toBeUndefined();
    expect(remoteEndsPlan(context({ remotePeers: () => undefined }), network('web'))).toBeUndefined();
    expect(remoteEndsPlan(context({ remotePeers: () => [] }), network('web'))).toEqual([]);
  });
});

describe('the guard', () => {
  const vteps = ['192.168.77.2', '192.168.77.3'];

  test('is one for all networks of a port', () => {
    const networks = [network('one'), network('two'), network('three', 4790)];
    const plan = guardPlan(context({ clusterVteps: () => vteps }), networks);
    expect(plan?.map((one) => ('port' in one ? `${one.kind} ${one.port}` : one.kind))).toEqual([
      'vtep-guard 4789',
      'vtep 4789',
      'vtep 4789',
      'vtep-guard 4790',
      'vtep 4790',
      'vtep 4790',
    ]);
  });

  test('is not known to who is in no cluster', () => {
    expect(guardPlan(context(), [network('one')])).toBeUndefined();
  });
});
