/**
 * none: no network at all. A sandbox on it has a namespace of its own with the loopback interface and nothing else.
 *
 * This is the driver to copy when you write one: it says who it is, takes no options, decides nothing and plans nothing.
 */
import { defineDriver } from '../../src/plan/driver.ts';

export default defineDriver({
  name: 'null',
  api: 1,
  scope: 'local',
  ipam: 'none',
  refusesEndpoints: {
    reason: 'a container on it has no interfaces; connect it to another network instead',
    runs: 'alone',
  },
  options: { type: 'object', properties: {}, additionalProperties: false },
  aliases: {},
  parseSettings: () => ({}),
  configure: () => ({}),
  endpointDefaults: () => ({
    interfacePrefix: 'eth',
    publishAddress: '0.0.0.0',
    refusesPorts: 'the none network has no addresses',
  }),
  networkPlan: () => [],
  endpointPlan: () => [],
});
