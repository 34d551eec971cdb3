/** The networks that `docker-formats.json` was recorded with. */
import { makeFakeEngine, fakeNetwork, fakeSandbox, type FakeEngine } from './fake-engine.ts';

const WEB10 = 'aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999';
const WEB9 = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';

export function engineWithDockerNetworks(): FakeEngine {
  return makeFakeEngine({
    networks: [
      fakeNetwork({
        name: 'web10',
        id: WEB10,
        createdAt: '2026-01-02T03:04:05.6Z',
        pools: [
          { subnet: '172.18.0.0/16', range: '172.18.5.0/24', gateway: '172.18.0.1', aux: { router: '172.18.0.9' } },
        ],
        options: { 'com.docker.network.bridge.name': 'web0' },
        labels: { 'com.example.some-label': 'v 1', tier: '<front>' },
      }),
      fakeNetwork({
        name: 'web9',
        id: WEB9,
        enableIPv6: true,
        internal: true,
        pools: [
          { subnet: '172.19.0.0/16', gateway: '172.19.0.1', aux: {} },
          { subnet: 'fd00:1::/64', gateway: 'fd00:1::1', aux: {} },
        ],
      }),
    ],
    sandboxes: [
      fakeSandbox('db', { networkId: WEB10, networkName: 'web10', address: '172.18.0.2/16' }),
      fakeSandbox('app', { networkId: WEB10, networkName: 'web10', address: '172.18.0.3/16' }),
    ],
  });
}
