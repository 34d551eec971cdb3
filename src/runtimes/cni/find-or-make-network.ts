/** The network of a configuration, made when its first container comes. */
import { TsnetError } from '../../model/error.ts';
import type { Network } from '../../model/records.ts';
import type { Engine } from '../../engine/engine.ts';
import { CniError } from './cni-error.ts';
import type { PluginConfig } from './network-config.ts';
import { checkSameNetwork, networkRequest } from './network-request.ts';
import type { CniIp } from './result.ts';

/** @throws CniError 2, 7; TsnetError where it cannot be made */
export async function findOrMakeNetwork(
  engine: Engine,
  config: PluginConfig,
  delegated: readonly CniIp[],
): Promise<Network> {
  const request = networkRequest(config, delegated);
  const found = await engine.findNetwork(config.network);
  if (found !== undefined) return checked(found, config);
  if (request === undefined) throw noSuchNetwork(config);
  try {
    await engine.createNetwork(request);
  } catch (error) {
    // Runtimes start containers in parallel: another call may be making it, and be far enough for the host to change all the time.
    if (!(error instanceof TsnetError) || (error.code !== 'CONFLICT' && error.code !== 'TIMEOUT')) throw error;
    return checked(await madeByAnother(engine, config, error), config);
  }
  const made = await engine.findNetwork(config.network);
  if (made === undefined) throw noSuchNetwork(config);
  return made;
}

function checked(network: Network, config: PluginConfig): Network {
  checkSameNetwork(network, config);
  return network;
}

/** Time in which a network is made, twice over. */
const MADE_WITHIN_MS = 10_000;
const LOOK_AGAIN_MS = 25;

async function madeByAnother(engine: Engine, { network }: PluginConfig, cause: TsnetError): Promise<Network> {
  for (let waited = 0; waited < MADE_WITHIN_MS; waited += LOOK_AGAIN_MS) {
    const found = await engine.findNetwork(network);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  throw cause;
}

function noSuchNetwork({ network }: PluginConfig): CniError {
  return new CniError(
    7,
    `network ${network} not found`,
    `make it with tsnet create ${network}, or leave "network" out: then one is made, named after the CNI network`,
  );
}
