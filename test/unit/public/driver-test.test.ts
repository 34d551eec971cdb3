import { describe, expect, it } from 'vitest';
import { driverContract, type Clause } from '../../../src/public/driver-test.ts';
import { defineDriver, TAG_PREFIX, type DriverDefinition, type JsonObject } from '../../../src/public/driver.ts';

type Definition = Parameters<typeof defineDriver<JsonObject>>[0];

/** A driver that keeps the contract: one veth an endpoint. */
const GOOD: Definition = {
  name: 'good',
  api: 1,
  scope: 'local',
  ipam: 'pools',
  options: {
    type: 'object',
    additionalProperties: false,
    properties: { mtu: { type: 'integer', description: 'MTU of the containers.' } },
  },
  aliases: { 'com.docker.network.driver.mtu': 'mtu' },
  parseSettings: (settings) => settings,
  configure: ({ draft }) => ({ mtu: typeof draft.options['mtu'] === 'number' ? draft.options['mtu'] : 1500 }),
  endpointDefaults: () => ({ interfacePrefix: 'eth', publishAddress: '0.0.0.0', refusesPorts: 'it is an example' }),
  networkPlan: () => [],
  endpointPlan: (_network, { mtu }, endpoint) => [
    {
      kind: 'veth',
      sandbox: endpoint.sandboxId,
      host: endpoint.hostLink,
      peer: endpoint.interfaceName,
      mtu: Number(mtu),
      mac: endpoint.mac,
      hairpin: false,
      isolated: false,
      tag: `${TAG_PREFIX}${endpoint.id}`,
    },
  ],
};

function broken(change: Partial<DriverDefinition<JsonObject>>): string[] {
  const fails = ({ holds }: Clause): boolean => {
    try {
      holds();
      return false;
    } catch {
      return true;
    }
  };
  return driverContract({ driver: defineDriver({ ...GOOD, ...change }) })
    .filter(fails)
    .map(({ says }) => says);
}

describe('the contract of drivers', () => {
  it('is kept by a driver that keeps to its own', () => {
    expect(broken({})).toEqual([]);
  });

  let calls = 0;
  const breaches: [string, Partial<DriverDefinition<JsonObject>>, string][] = [
    ['another API', { api: 2 as 1 }, 'is a driver of this API'],
    [
      'an option without a description',
      { options: { type: 'object', additionalProperties: false, properties: { mtu: {} } } },
      'describes its options by a JSON Schema',
    ],
    [
      'options of any name',
      { options: { type: 'object', properties: {} }, aliases: {} },
      'describes its options by a JSON Schema',
    ],
    ['an alias to nowhere', { aliases: { 'x.mtu': 'mut' } }, 'gives its options other names that lead somewhere'],
    [
      'settings that differ each time',
      { configure: () => ({ calls: (calls += 1) }) },
      'decides on settings that the ledger can keep, the same each time',
    ],
    [
      'settings that are no JSON',
      { configure: () => ({ made: new Date(0) as never }) },
      'decides on settings that the ledger can keep, the same each time',
    ],
    [
      'a TypeError for an option of the wrong type',
      { configure: ({ draft }) => ({ mtu: ((draft.options['mtu'] ?? 0) as number).toFixed() }) },
      'refuses options that make no sense with an error of ours',
    ],
    [
      'no prefix of interfaces',
      { endpointDefaults: () => ({ interfacePrefix: '', publishAddress: '' }) },
      'names the interfaces of its endpoints',
    ],
    [
      'a promise for a plan',
      { networkPlan: () => Promise.resolve([]) as never },
      'plans a network from its record alone, and nothing that is not its own',
    ],
    [
      'a record written to',
      {
        networkPlan: (network) => {
          (network.labels as Record<string, string>)['seen'] = 'yes';
          return [];
        },
      },
      'plans a network from its record alone, and nothing that is not its own',
    ],
    [
      "somebody else's link",
      { networkPlan: () => [{ kind: 'address', place: 'host', link: 'eth0', address: '10.9.0.1/24' }] },
      'plans a network from its record alone, and nothing that is not its own',
    ],
    [
      'one link for two networks',
      {
        networkPlan: (network) => [
          { kind: 'bridge', name: 'br-same', mtu: 1500, adopted: false, tag: `${TAG_PREFIX}${network.id}` },
        ],
      },
      'gives two networks no link in common',
    ],
    [
      'one link for two endpoints',
      {
        endpointPlan: (network, settings, endpoint) =>
          GOOD.endpointPlan(network, settings, { ...endpoint, hostLink: 'veth0' }),
      },
      'gives two endpoints no link in common',
    ],
    [
      'ports forgotten',
      { endpointDefaults: () => ({ interfacePrefix: 'eth', publishAddress: '0.0.0.0' }) },
      'publishes what it is asked to, or says why it cannot',
    ],
    [
      'a route before its link',
      {
        endpointPlan: (network, settings, endpoint) => [
          { kind: 'route', place: 'host', family: 4, destination: '10.9.0.10/32', link: endpoint.hostLink },
          ...GOOD.endpointPlan(network, settings, endpoint),
        ],
      },
      'makes a link before what hangs on it, so that removal goes the other way round',
    ],
  ];
  it.each(breaches)('is broken by %s', (_what, change, clause) => {
    expect(broken(change)).toContain(clause);
  });
});
