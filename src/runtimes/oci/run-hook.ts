/**
 * The hook of an OCI runtime: attaches a container that is being created, detaches one that has stopped.
 *
 * createRuntime (or prestart) is called once the container's namespaces are there and before its program runs; what it refuses
 * ends the container. poststop comes when namespace and process are gone: the ledger alone knows what there was.
 */
import type { Engine } from '../../engine/engine.ts';
import { TsnetError } from '../../model/error.ts';
import { wishOf } from './annotations.ts';
import type { ContainerState } from './container-state.ts';

type HookEngine = Pick<Engine, 'attachContainer' | 'detachContainer' | 'findContainer'>;

/** `openEngine` is not called for containers that ask for nothing. @returns warnings. @throws TsnetError */
export async function runHook(
  state: ContainerState,
  openEngine: () => Promise<HookEngine>,
): Promise<readonly string[]> {
  const container = { runtime: 'oci', id: state.id } as const;
  if (state.status === 'stopped') {
    await (await openEngine()).detachContainer({ container });
    return [];
  }
  const wish = wishOf(state.annotations);
  if (wish === undefined) return [];
  const { pid } = state;
  if (pid === undefined) {
    throw new TsnetError('INVALID', `oci-hook: container ${state.id} is ${state.status} and has no pid`);
  }
  const engine = await openEngine();
  // Called for prestart and createRuntime both, the second finds all done.
  const known = await engine.findContainer(container);
  const joined = known?.alive === true ? known.endpoints.map((endpoint) => endpoint.networkName) : [];
  const attach = wish.attach.filter(({ network }) => !joined.includes(network));
  if (attach.length === 0) return [];
  const { warnings } = await engine.attachContainer({
    container: {
      ...container,
      netns: `/proc/${pid}/ns/net`,
      pid,
      ...(wish.name === undefined ? {} : { name: wish.name }),
    },
    attach,
  });
  return warnings;
}
