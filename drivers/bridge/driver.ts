/**
 * bridge: a Linux bridge a network, a veth pair a container, NAT to the world.
 *
 *     host namespace                                   sandbox
 *     ──────────────                                   ───────
 *     eth0 ── routing ── tsnet0 (bridge, 172.17.0.1/16)
 *                          ├── vethXXXXXXXXXXX ─────── eth0  172.17.0.2/16, default via 172.17.0.1
 *                          └── vethYYYYYYYYYYY ─────── eth0  172.17.0.3/16   (another sandbox)
 *
 * Out: eth0 in the sandbox → veth → bridge → FORWARD (TSNET-FORWARD accepts what comes from the bridge) → POSTROUTING
 * (MASQUERADE: the world sees the host's address) → host's eth0.
 *
 * In, to a published port 8080: host's eth0 → PREROUTING (TSNET: DNAT to 172.17.0.2:80) → FORWARD (accepted since conntrack
 * knows it as DNATed) → bridge → veth → eth0. From the host itself the same through OUTPUT. A client on the same network,
 * or the container itself, goes bridge → host → bridge: POSTROUTING masquerades it, or the reply would bypass the host and
 * its un-NAT; the port's hairpin flag lets the frame out where it came in.
 *
 * Everything else towards the bridge is dropped: other networks, unpublished ports, container addresses from outside.
 */
import { defineDriver } from '../../src/plan/driver.ts';
import { bridgeOptionAliases, bridgeOptions } from './options.ts';
import { bridgeEndpointPlan, bridgeNetworkPlan } from './plans.ts';
import { configureBridge, type BridgeSettings } from './settings.ts';

export default defineDriver<BridgeSettings>({
  name: 'bridge',
  api: 1,
  scope: 'local',
  ipam: 'pools',
  linkKinds: ['bridge', 'veth'],
  options: bridgeOptions,
  aliases: bridgeOptionAliases,
  parseSettings: (settings) => settings as BridgeSettings,
  configure: configureBridge,
  endpointDefaults: (_network, settings) => ({
    interfacePrefix: settings.interfacePrefix,
    publishAddress: settings.publishAddress,
  }),
  changeMtu: (_network, settings, { mtu }) => ({ ...settings, mtu }),
  networkPlan: bridgeNetworkPlan,
  endpointPlan: bridgeEndpointPlan,
});
