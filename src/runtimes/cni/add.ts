/**
 * ADD: the container onto its network, and what came of it.
 *
 * The network is found or made, another IPAM plugin asked where one is named, then the container is attached, all or nothing. A
 * plugin further up in the list may have made interfaces: ours comes beside them.
 */
import type { AttachContainerRequest } from '../../engine/engine.ts';
import type { JsonObject, Network } from '../../model/records.ts';
import { attachedResult } from './attached-result.ts';
import { attachOptions, containerName } from './attachment-request.ts';
import { delegated, type CniCall } from './call.ts';
import { CniError } from './cni-error.ts';
import { findOrMakeNetwork } from './find-or-make-network.ts';
import { refuseOtherRoutes } from './network-request.ts';
import { NO_RESULT, printedResult, readResult, type CniResult } from './result.ts';

/** The result to print. */
export async function add(call: CniCall): Promise<JsonObject> {
  const { config } = call;
  const before = config.prevResult === undefined ? NO_RESULT : readResult(config.prevResult, 'prevResult');
  refuseTaken(call, before);
  if (config.delegate === undefined) refuseOtherRoutes(config.fields);
  const addresses = await delegated(call);
  try {
    return printedResult(await attach(call, before, addresses), config.version);
  } catch (error) {
    if (config.delegate !== undefined) await giveBack(call);
    throw error;
  }
}

async function attach(call: CniCall, before: CniResult, addresses: JsonObject | undefined): Promise<CniResult> {
  const { engine, config, invocation } = call;
  const given = addresses === undefined ? undefined : readResult(addresses, 'ipam');
  if (given?.ips.length === 0) throw new CniError(111, `IPAM plugin ${config.delegate ?? ''} gave no address`);
  const network = await findOrMakeNetwork(engine, config, given?.ips ?? []);
  const request = attachRequest(call, network, given);
  const view = await engine.attachContainer(request);
  for (const warning of view.warnings) call.host.log(`warning: ${warning}`);
  return attachedResult({ view, network, before, given, config, netns: invocation.netns });
}

function attachRequest(
  { config, invocation }: CniCall,
  network: Network,
  given: CniResult | undefined,
): AttachContainerRequest {
  const name = containerName(invocation);
  return {
    container: {
      runtime: 'cni',
      id: invocation.containerId,
      netns: invocation.netns,
      ...(name === undefined ? {} : { name }),
    },
    attach: [{ network: network.id, ...attachOptions(config, invocation, { network, delegated: given?.ips }) }],
  };
}

/** An interface of that name which a plugin before us made stays as it is. */
function refuseTaken({ config, invocation }: CniCall, before: CniResult): void {
  const { interfaceName } = config;
  const isThere = before.interfaces.some(
    ({ name, sandbox }) => name === interfaceName && typeof sandbox === 'string' && sandbox !== '',
  );
  if (!isThere) return;
  throw new CniError(
    7,
    `the container has an interface ${interfaceName}, made by a plugin before tsnet in the list`,
    interfaceName === invocation.interfaceName
      ? 'put tsnet first, or have it add a further interface with "interface": "net1"'
      : 'choose another name for "interface"',
  );
}

/** The address that the other plugin gave and nobody got. What goes wrong now is in the log: the first error is the one to tell. */
async function giveBack(call: CniCall): Promise<void> {
  try {
    await delegated(call, 'DEL');
  } catch (error) {
    call.host.log(`warning: ${(error as Error).message}`);
  }
}
