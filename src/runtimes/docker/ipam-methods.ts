/** Docker's remote IPAM protocol (libnetwork, docs/ipam.md), server side. */
import type { DockerPluginEngine } from '../../engine/docker-plugin/engine.ts';
import { GATEWAY_WISH } from '../../plan/ipam-plugin.ts';
import { flagIn, textIn, textsIn } from './message.ts';
import type { Methods } from './methods.ts';

/** What Docker calls the places that our subnets are from; both are this host's. */
export const ADDRESS_SPACES: readonly string[] = ['TsnetLocal', 'TsnetGlobal'];

export function ipamMethods(engine: DockerPluginEngine): Methods {
  return {
    // Nothing is to be told again when Docker restarts: it is on record.
    'IpamDriver.GetCapabilities': () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
    'IpamDriver.GetDefaultAddressSpaces': () => ({
      LocalDefaultAddressSpace: ADDRESS_SPACES[0],
      GlobalDefaultAddressSpace: ADDRESS_SPACES[1],
    }),
    'IpamDriver.RequestPool': async (message) => {
      const [subnet, range] = [textIn(message, 'Pool'), textIn(message, 'SubPool')];
      const pool = await engine.requestPool({
        family: flagIn(message, 'V6') ? 6 : 4,
        ...(subnet === '' ? {} : { subnet }),
        ...(range === '' ? {} : { range }),
      });
      return { PoolID: pool.id, Pool: pool.subnet, Data: {} };
    },
    'IpamDriver.ReleasePool': async (message) => {
      await engine.releasePool(textIn(message, 'PoolID'));
      return {};
    },
    'IpamDriver.RequestAddress': async (message) => {
      const address = textIn(message, 'Address');
      const { RequestAddressType } = textsIn(message, 'Options');
      return {
        Address: await engine.requestAddress({
          poolId: textIn(message, 'PoolID'),
          ...(address === '' ? {} : { address }),
          isGateway: RequestAddressType === GATEWAY_WISH.RequestAddressType,
        }),
        Data: {},
      };
    },
    'IpamDriver.ReleaseAddress': async (message) => {
      await engine.releaseAddress(textIn(message, 'PoolID'), textIn(message, 'Address'));
      return {};
    },
  };
}
