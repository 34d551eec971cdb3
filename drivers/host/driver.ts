/**
 * host: the host's own namespace. A process on it sees the host's interfaces and ports; there is nothing to make, nothing
 * to lease and nothing to publish.
 */
import { defineDriver } from '../../src/plan/driver.ts';

export default defineDriver({
  name: 'host',
  api: 1,
  scope: 'local',
  ipam: 'none',
  refusesEndpoints: {
    reason: "it is the host's own namespace, to which nothing is attached; `tsnet run --network host` runs in it",
    runs: 'on-the-host',
  },
  options: { type: 'object', properties: {}, additionalProperties: false },
  aliases: {},
  parseSettings: () => ({}),
  configure: () => ({}),
  endpointDefaults: () => ({
    interfacePrefix: 'eth',
    publishAddress: '0.0.0.0',
    refusesPorts: "a process on the host network listens on the host's ports itself",
  }),
  networkPlan: () => [],
  endpointPlan: () => [],
});
