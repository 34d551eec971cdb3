/** Records for tests, complete but for what a test is about. */
import { createHash } from 'node:crypto';
import type { Endpoint, Network, Sandbox } from '../../../src/model/records.ts';

/** A stable id. */
export function idOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function network(name: string, change: Partial<Network> = {}): Network {
  return {
    version: 1,
    id: idOf(`network ${name}`),
    name,
    driver: 'bridge',
    scope: 'local',
    createdAt: '2024-05-01T12:00:00.000000000Z',
    internal: false,
    attachable: false,
    enableIPv4: true,
    enableIPv6: false,
    ipamDriver: 'default',
    ipamOptions: {},
    pools: [{ subnet: '10.0.0.0/16', gateway: '10.0.0.1', aux: {} }],
    options: {},
    labels: {},
    settings: {},
    predefined: false,
    state: 'active',
    ...change,
  };
}

export function sandbox(name: string, change: Partial<Sandbox> = {}): Sandbox {
  const id = idOf(`sandbox ${name}`);
  return {
    version: 1,
    id,
    name,
    origin: { kind: 'own' },
    netns: { path: `/run/netns/${name}`, device: 4, inode: parseInt(id.slice(0, 8), 16) },
    foreignDefaultRoutes: [],
    createdAt: '2024-05-01T12:00:00.000000000Z',
    state: 'running',
    ...change,
  };
}

export function endpoint(networkName: string, sandboxName: string, change: Partial<Endpoint> = {}): Endpoint {
  return {
    version: 1,
    id: idOf(`endpoint ${networkName} ${sandboxName}`),
    networkId: idOf(`network ${networkName}`),
    sandboxId: idOf(`sandbox ${sandboxName}`),
    interfaceName: 'eth0',
    hostLink: 'veth0',
    mac: '02:42:0a:00:00:02',
    addresses: [{ address: '10.0.0.2/16', gateway: '10.0.0.1' }],
    aliases: [],
    gatewayPriority: 0,
    ordinal: 0,
    ports: [],
    driverOptions: {},
    createdAt: '2024-05-01T12:00:00.000000000Z',
    state: 'attached',
    ...change,
  };
}
