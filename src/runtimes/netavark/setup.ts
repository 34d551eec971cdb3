/** `setup`: a container joins its networks, all of them or none. */
import type { AttachContainerRequest, SandboxView } from '../../engine/engine.ts';
import { TsnetError } from '../../model/error.ts';
import type { Endpoint } from '../../model/records.ts';
import { attachOptions, publisherOf } from './attach-options.ts';
import type { ContainerRequest, PodmanAttachment } from './container-request.ts';
import { severalErrors } from './error-answer.ts';
import { forgetNames, nameserversOf, serveNames } from './names.ts';
import { planNetwork, type NetworkPlan } from './network-plan.ts';
import { provide, removeUnused } from './our-networks.ts';
import { portsByNetwork } from './published-ports.ts';
import type { Session } from './session.ts';
import { statusBlock, type StatusBlock } from './status-block.ts';

/** A network that another teardown takes away between its finding and the attach is made again, this often. */
const TRIES = 20;

interface Planned {
  readonly attachment: PodmanAttachment;
  readonly network: NetworkPlan;
  readonly options: ReturnType<typeof attachOptions>;
}

/** Network → what podman is told of it. */
export type Status = Readonly<Record<string, StatusBlock>>;

export async function setup(session: Session, container: ContainerRequest, netns: string): Promise<Status> {
  // Whatever can be seen to be wrong is, before anything is made.
  const planned = container.attachments.map((attachment): Planned => ({
    attachment,
    network: planNetwork(attachment.network, session.uplink),
    options: attachOptions(container, attachment),
  }));
  if (planned.length === 0) return {};
  let attached: readonly Attached[] = [];
  try {
    attached = await attachAll(session, { container, netns, planned });
    await serveNames(session, container, attached);
    if (isReload(container)) await session.engine.repair();
  } catch (error) {
    throw await undone(session, { container, planned, attached }, error);
  }
  return Object.fromEntries(
    attached.map(({ attachment, endpoint }) => [
      attachment.network.name,
      statusBlock(attachment.network, endpoint, nameserversOf(attachment, session)),
    ]),
  );
}

/**
 * `podman network reload` is a teardown and a setup, with the MAC that podman remembers: somebody has flushed the firewall, and what
 * stood for the whole network is to come back too.
 */
function isReload({ attachments }: ContainerRequest): boolean {
  return attachments.every(({ staticMac }) => staticMac !== undefined);
}

interface Job {
  readonly container: ContainerRequest;
  readonly netns: string;
  readonly planned: readonly Planned[];
}

interface Attached {
  readonly attachment: PodmanAttachment;
  readonly endpoint: Endpoint;
}

async function attachAll(session: Session, job: Job): Promise<Attached[]> {
  for (let tries = 1; ; tries += 1) {
    const ids: string[] = [];
    for (const { network } of job.planned) ids.push((await provide(session.engine, network)).id);
    try {
      const view = await session.engine.attachContainer(await attachRequest(session, job, ids));
      return job.planned.map(({ attachment }, index) => ({ attachment, endpoint: endpointOf(view, ids[index]) }));
    } catch (error) {
      if (tries >= TRIES || !(await someGone(session, ids))) throw error;
    }
  }
}

async function someGone({ engine }: Session, ids: readonly string[]): Promise<boolean> {
  const there = new Set((await engine.listNetworks()).map(({ id }) => id));
  return ids.some((id) => !there.has(id));
}

function endpointOf({ endpoints }: SandboxView, networkId: string | undefined): Endpoint {
  const endpoint = endpoints.find((one) => one.networkId === networkId);
  if (endpoint === undefined) throw new TsnetError('INTERNAL', 'the container is attached and has no endpoint');
  return endpoint;
}

async function attachRequest(
  { engine }: Session,
  { container, netns, planned }: Job,
  ids: readonly string[],
): Promise<AttachContainerRequest> {
  const known =
    container.ports.length === 0 ? undefined : await engine.findContainer({ runtime: 'podman', id: container.id });
  const ports = portsByNetwork(
    container.ports,
    planned.flatMap(({ attachment }) => publisherOf(attachment) ?? []),
    known?.alive === true ? known.endpoints.flatMap((endpoint) => endpoint.ports) : [],
  );
  return {
    container: {
      runtime: 'podman',
      id: container.id,
      netns,
      ...(container.name === '' ? {} : { name: container.name }),
    },
    attach: planned.map(({ attachment, options }, index) => ({
      network: ids[index] ?? '',
      ...options,
      ports: ports.get(attachment.network.id) ?? [],
    })),
  };
}

interface Undoing extends Pick<Job, 'container' | 'planned'> {
  readonly attached: readonly Attached[];
}

/** Takes back what was made; the error that tells everything. */
async function undone(session: Session, { container, planned, attached }: Undoing, error: unknown): Promise<unknown> {
  const errors = [error];
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (failure) {
      errors.push(failure);
    }
  };
  const { engine } = session;
  const left = attached.map(({ attachment }) => attachment.network);
  await attempt(() => forgetNames(session, container, left));
  for (const { endpoint } of attached) {
    await attempt(() =>
      engine.detachContainer({ container: { runtime: 'podman', id: container.id }, network: endpoint.networkId }),
    );
  }
  for (const { network } of planned) {
    if (network.kind === 'ours') await attempt(() => removeUnused(engine, network.podmanId));
  }
  return severalErrors(errors);
}
