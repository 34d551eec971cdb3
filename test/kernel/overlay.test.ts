import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, ping, type Container, type Member, type Overlay } from './overlay-stage.ts';

describe('an overlay over two hosts', () => {
  let cluster: Cluster;
  let ov: Overlay;
  let [a, b]: Container[] = [];
  beforeAll(async () => {
    cluster = await new Cluster().start(2);
    const [one, two] = cluster.members as [Member, Member];
    ov = await cluster.network();
    a = await ov.container(one, { addresses: ['10.77.0.11/16', 'fd00:77::11/64'] });
    b = await ov.container(two, { addresses: ['10.77.0.12/16', 'fd00:77::12/64'] });
  });
  afterAll(() => cluster.close());

  test('containers reach each other, by IPv4 and IPv6', async () => {
    expect(await ping(a!.ns, '10.77.0.12')).toBe(true);
    expect(await ping(b!.ns, 'fd00:77::11')).toBe(true);
  });
});
