/**
 * DEL: by what is on record alone. The namespace may be gone, the previous result unknown, the host started anew, and the call
 * the third one: all of that is success.
 */
import { delegated, type CniCall } from './call.ts';

export async function del(call: CniCall): Promise<undefined> {
  const { engine, config, invocation } = call;
  await engine.detachContainer({
    container: { runtime: 'cni', id: invocation.containerId },
    network: config.network,
    interfaceName: config.interfaceName,
  });
  // The address is free for others when nobody has it any more.
  await delegated(call);
  return undefined;
}
