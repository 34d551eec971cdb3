/**
 * GC: lets go of attachments to the network of the configuration that are neither named as valid nor alive.
 *
 * A list may be cut short or empty by mistake, and runtimes send null where they know of no container: the list alone frees
 * nothing. What it does not name is freed when its namespace is proved to be gone.
 */
import { validAttachments } from './attachment-request.ts';
import { delegated, type CniCall } from './call.ts';

export async function gc(call: CniCall): Promise<undefined> {
  const { engine, config, host } = call;
  const valid = validAttachments(config.fields) ?? [];
  const isValid = (id: string, interfaceName: string): boolean =>
    valid.some((one) => one.containerId === id && one.interfaceName === interfaceName);
  const failures: unknown[] = [];
  for (const { sandbox, endpoints } of await engine.listSandboxes()) {
    if (sandbox.origin.kind !== 'cni') continue;
    const { id } = sandbox.origin;
    const left = endpoints.filter(
      ({ networkName, networkId, interfaceName }) =>
        (networkName === config.network || networkId === config.network) && !isValid(id, interfaceName),
    );
    if (left.length === 0) continue;
    // Whether it lives is looked at with care, and only of those that nobody named.
    const found = await engine.findContainer({ runtime: 'cni', id });
    if (found === undefined || found.alive) continue;
    for (const { interfaceName } of left) {
      try {
        await engine.detachContainer({ container: { runtime: 'cni', id }, network: config.network, interfaceName });
        host.log(`freed ${interfaceName} of ${sandbox.name}, whose namespace is gone`);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await delegated(call);
  if (failures.length > 0) throw failures[0];
  return undefined;
}
