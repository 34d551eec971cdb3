import { describe, expect, it } from 'vitest';
import type { PodmanPort } from '../../../../src/runtimes/netavark/container-request.ts';
import { portsByNetwork, type Publisher } from '../../../../src/runtimes/netavark/published-ports.ts';

const port = (given: Partial<PodmanPort> = {}): PodmanPort => ({
  hostIp: '',
  hostPort: 8080,
  containerPort: 80,
  range: 1,
  protocols: ['tcp'],
  ...given,
});
const dual: Publisher = { network: 'dual', families: [4, 6] };
const only4: Publisher = { network: 'only4', families: [4] };
const only6: Publisher = { network: 'only6', families: [6] };
const plain = (ports: ReturnType<typeof portsByNetwork>): unknown => Object.fromEntries(ports);

describe('the ports of a podman container', () => {
  it('go to the first network, in each family that it has', () => {
    expect(plain(portsByNetwork([port()], [dual, only4]))).toEqual({
      dual: ['0.0.0.0:8080:80/tcp', '[::]:8080:80/tcp'],
    });
  });

  it('are shared out where one network has IPv4 and another IPv6', () => {
    expect(plain(portsByNetwork([port()], [only4, only6]))).toEqual({
      only4: ['0.0.0.0:8080:80/tcp'],
      only6: ['[::]:8080:80/tcp'],
    });
  });

  it('are ranges and lists of protocols', () => {
    const ranged = port({
      hostIp: '127.0.0.1',
      hostPort: 9000,
      containerPort: 9100,
      range: 3,
      protocols: ['udp', 'sctp'],
    });
    expect(plain(portsByNetwork([ranged], [dual]))).toEqual({
      dual: ['127.0.0.1:9000-9002:9100-9102/udp', '127.0.0.1:9000-9002:9100-9102/sctp'],
    });
  });

  it('are left out where no network can publish them', () => {
    expect(plain(portsByNetwork([port()], []))).toEqual({});
    expect(plain(portsByNetwork([port({ hostIp: '::1' })], [only4]))).toEqual({});
  });

  it('are left out where the container publishes them already', () => {
    const published = [
      { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8079, containerPort: 79, count: 2 },
    ] as const;
    expect(plain(portsByNetwork([port(), port({ protocols: ['udp'] })], [only4], published))).toEqual({
      only4: ['0.0.0.0:8080:80/udp'],
    });
  });
});
