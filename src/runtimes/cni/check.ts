/** CHECK: whether the container still has what ADD gave it, on record, in its namespace, on the host and in the firewall. */
import type { Endpoint, JsonObject } from '../../model/records.ts';
import { delegated, type CniCall } from './call.ts';
import { CniError } from './cni-error.ts';
import { interfaceOf, readResult } from './result.ts';

export async function check(call: CniCall): Promise<undefined> {
  const { engine, config, invocation } = call;
  if (config.prevResult === undefined) throw new CniError(7, 'required prevResult missing');
  const result = readResult(config.prevResult, 'prevResult');
  await delegated(call);
  const container = { runtime: 'cni', id: invocation.containerId } as const;
  const found = await engine.findContainer(container);
  const endpoint = found?.endpoints.find(
    ({ networkName, networkId, interfaceName }) =>
      (networkName === config.network || networkId === config.network) && interfaceName === config.interfaceName,
  );
  if (endpoint === undefined) {
    throw new CniError(
      3,
      `container ${invocation.containerId} has no interface ${config.interfaceName} on network ${config.network}`,
      found === undefined ? 'tsnet does not know the container' : undefined,
    );
  }
  const index = result.interfaces.findIndex(
    ({ name, sandbox }) => name === config.interfaceName && typeof sandbox === 'string' && sandbox !== '',
  );
  if (index === -1) throw new CniError(7, `prevResult has no interface ${config.interfaceName} of the container`);
  const told = result.ips.filter((ip) => interfaceOf(ip) === index).map(({ address }) => address);
  refuseOthers(endpoint, told);
  // Plugins behind us may have given it another MAC, which they tell, and another MTU, which "tuning" does not tell.
  const { mac, mtu }: JsonObject = result.interfaces[index] ?? {};
  const link = { ...(typeof mac === 'string' ? { mac } : {}), ...(typeof mtu === 'number' ? { mtu } : {}) };
  const drift = await engine.checkContainer({ container, network: config.network, link });
  if (drift.length === 0) return undefined;
  const [first, ...rest] = drift.map(({ state, what, detail }) => `${what}: ${detail ?? state}`);
  throw new CniError(110, `container ${invocation.containerId}: ${first ?? ''}`, rest.join('; ') || undefined);
}

function refuseOthers({ addresses, interfaceName }: Endpoint, told: readonly string[]): void {
  const has = addresses.map(({ address }) => address);
  const missing = told.filter((address) => !has.includes(address));
  if (missing.length === 0) return;
  throw new CniError(
    110,
    `${interfaceName} does not have ${missing.join(', ')} of prevResult`,
    `on record are ${has.join(', ') || 'no addresses'}`,
  );
}
