/**
 * The remote IPAM protocol of Docker (libnetwork, "IPAM driver"), client side. Its errors come in the field `Error`.
 */
import { parseInterface, parsePrefix, withoutLength } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { JsonObject } from '../model/records.ts';
import type { IpamPlugin } from '../plan/ipam-plugin.ts';
import type { CallPlugin, Patience } from './plugin-call.ts';

const GATEWAY = 'com.docker.network.gateway';

export function ipamPlugin(call: CallPlugin, name: string): IpamPlugin {
  const ask = async (method: string, request?: JsonObject, patience?: Patience): Promise<JsonObject> => {
    const answer = await call(`IpamDriver.${method}`, request, patience);
    if (answer !== undefined) return answer;
    throw new TsnetError('DRIVER', `plugin ${name}: ${method}: it does not know the method; is it an IPAM driver?`);
  };
  const nonsense = (method: string, what: string): never => {
    throw new TsnetError('DRIVER', `plugin ${name}: ${method}: ${what}`);
  };
  let space: Promise<string> | undefined;
  const addressSpace = async (): Promise<string> => {
    const answer = await ask('GetDefaultAddressSpaces');
    return textOf(answer['LocalDefaultAddressSpace']);
  };

  return {
    async requiresMac() {
      // A plugin without the method has none of the capabilities.
      return (await call('IpamDriver.GetCapabilities'))?.['RequiresMACAddress'] === true;
    },

    async requestPool({ family, subnet, range, options }) {
      const answer = await ask('RequestPool', {
        AddressSpace: await (space ??= addressSpace()),
        Pool: subnet ?? '',
        SubPool: range ?? '',
        Options: options,
        V6: family === 6,
      });
      const [poolId, given] = [textOf(answer['PoolID']), textOf(answer['Pool'])];
      if (poolId === '') nonsense('RequestPool', 'it gave no PoolID');
      if (!isPrefix(given)) {
        await ask('ReleasePool', { PoolID: poolId });
        nonsense('RequestPool', `it gave the pool ${JSON.stringify(given)}, which is no subnet`);
      }
      const gateway = textOf(objectOf(answer['Data'])[GATEWAY]);
      return { poolId, subnet: given, ...(gateway === '' ? {} : { gateway: withoutLength(gateway) }) };
    },

    async releasePool(poolId) {
      await ask('ReleasePool', { PoolID: poolId }, 'once');
    },

    async requestAddress({ poolId, address, options }) {
      const answer = await ask('RequestAddress', { PoolID: poolId, Address: address ?? '', Options: options });
      const given = textOf(answer['Address']);
      if (!isInterface(given))
        nonsense('RequestAddress', `it gave ${JSON.stringify(given)}, which is no address with a length`);
      return withoutLength(given);
    },

    async releaseAddress(poolId, address) {
      await ask('ReleaseAddress', { PoolID: poolId, Address: address }, 'once');
    },
  };
}

function isPrefix(text: string): boolean {
  return reads(() => parsePrefix(text));
}

function isInterface(text: string): boolean {
  return reads(() => parseInterface(text));
}

function reads(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
