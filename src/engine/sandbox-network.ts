/**
 * What `run --network …` asks for: networks to attach to, nothing (none), the host's namespace, or that of another container.
 */
import { TsnetError } from '../model/error.ts';
import type { Netns, SharedNetwork } from '../model/records.ts';
import type { Attachment } from './attach.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { AttachOptions } from './engine.ts';
import { findNetwork } from './lookup.ts';
import { sandboxDeath } from './sandbox-life.ts';
import { ownerOf } from './sandbox-sharing.ts';
import { findNamespace } from './sandbox-target.ts';

export type SandboxNetwork =
  | { readonly kind: 'own'; readonly attachments: readonly Attachment[] }
  | { readonly kind: 'shared'; readonly shares: SharedNetwork; readonly netns: Netns };

type Wanted = AttachOptions & { readonly network: string };

const CONTAINER = 'container:';

/** The container that a value of `--network` shares the namespace of: "container:web" → "web". */
function sharedContainer(network: string): string | undefined {
  return network.startsWith(CONTAINER) ? network.slice(CONTAINER.length) : undefined;
}

export async function sandboxNetwork(context: EngineContext, wanted: readonly Wanted[]): Promise<SandboxNetwork> {
  for (const one of wanted) {
    const container = sharedContainer(one.network);
    if (container === undefined) continue;
    const shared = await containerNetwork(context, container);
    refuseOptions(wanted, one, `its network is that of ${container}; give them to ${container}`);
    return shared;
  }
  const attachments = context.ledger.read((view) =>
    wanted.map((options) => ({ network: findNetwork(view, options.network), options })),
  );
  for (const { network, options } of attachments) {
    const refusal = driverOf(context, network).refusesEndpoints;
    if (refusal === undefined) continue;
    const { refusesPorts } = driverOf(context, network).endpointDefaults(network);
    refuseOptions(wanted, options, refusesPorts ?? refusal.reason);
    return refusal.runs === 'alone' ? { kind: 'own', attachments: [] } : hostNetwork(context);
  }
  return { kind: 'own', attachments };
}

/** Such a network stands alone: there is nothing to address or publish. */
function refuseOptions(wanted: readonly Wanted[], { network, ...options }: Wanted, why: string): void {
  const act = `run on ${network}`;
  if (wanted.length > 1) {
    throw new TsnetError('INVALID', `${act}: it stands alone; leave ${othersThan(wanted, network)} away`);
  }
  const given = Object.keys(options).filter((key) => options[key as keyof typeof options] !== undefined);
  if (given.length > 0) throw new TsnetError('INVALID', `${act}: ${given.join(', ')} cannot be given: ${why}`);
}

function othersThan(wanted: readonly Wanted[], network: string): string {
  return wanted.flatMap((other) => (other.network === network ? [] : [other.network])).join(', ') || 'the second';
}

function hostNetwork({ kernel }: EngineContext): SandboxNetwork {
  const netns = kernel.netnsAt('/proc/self/ns/net');
  if (netns === undefined) throw new TsnetError('INTERNAL', 'run on host: /proc is not mounted');
  return { kind: 'shared', shares: { kind: 'host' }, netns };
}

async function containerNetwork(context: EngineContext, reference: string): Promise<SandboxNetwork> {
  const act = `run on ${CONTAINER}${reference}`;
  if (reference === '') throw new TsnetError('INVALID', `${act}: name a container: ${CONTAINER}NAME`);
  const found = await findNamespace(context, reference, act);
  if (found.sandbox === undefined) {
    if (found.netns.inode === context.kernel.netnsAt('/proc/self/ns/net')?.inode) return hostNetwork(context);
    return { kind: 'shared', shares: { kind: 'foreign', reference }, netns: found.netns };
  }
  const { sandbox } = found;
  const { shares } = sandbox;
  // Who shares leads to the one who has: the namespace is counted there.
  if (shares !== undefined && shares.kind !== 'sandbox') return { kind: 'shared', shares, netns: sandbox.netns };
  const owner = context.ledger.read((view) => ownerOf(view, sandbox));
  if (owner === undefined || owner.state !== 'running' || (await sandboxDeath(context, owner)) !== undefined) {
    throw new TsnetError('NOT_FOUND', `${act}: the container is not running`);
  }
  return { kind: 'shared', shares: { kind: 'sandbox', sandboxId: owner.id }, netns: owner.netns };
}
