/**
 * A container as `docker inspect` describes it; Podman describes its own the same way.
 */
import { TsnetError } from '../../model/error.ts';
import { sandboxNameFrom } from '../../model/names.ts';
import { withOwnNamespace, type FoundContainer } from './found-container.ts';

export interface InspectedContainer {
  readonly id: string;
  readonly name: string;
  /** 0: not running. */
  readonly pid: number;
  /** "running", "exited", "created" … */
  readonly status: string;
  /** "bridge", "host", "none", "container:ID" … */
  readonly networkMode: string;
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

/** Undefined when it is not such a description. */
export function parseInspected(value: unknown): InspectedContainer | undefined {
  const state = member(value, 'State');
  const id = member(value, 'Id');
  const name = member(value, 'Name');
  const pid = member(state, 'Pid');
  const status = member(state, 'Status');
  const networkMode = member(member(value, 'HostConfig'), 'NetworkMode');
  if (typeof id !== 'string' || !/^[0-9a-f]{12,64}$/.test(id)) return undefined;
  if (typeof name !== 'string' || typeof pid !== 'number' || !Number.isInteger(pid) || pid < 0) return undefined;
  return {
    id,
    // Docker writes "/web", Podman "web".
    name: name.replace(/^\//, ''),
    pid,
    status: typeof status === 'string' ? status : 'unknown',
    networkMode: typeof networkMode === 'string' ? networkMode : '',
  };
}

/** The namespace of a running container with a network of its own; refuses the others. */
export function foundContainer(runtime: 'docker' | 'podman', container: InspectedContainer): FoundContainer {
  const what = `${runtime} container ${container.name}`;
  if (container.pid === 0) {
    throw new TsnetError(
      'NOT_FOUND',
      `find ${what}: it is not running (${container.status}); start it with \`${runtime} start ${container.name}\``,
    );
  }
  if (container.networkMode === 'host') {
    throw new TsnetError(
      'FORBIDDEN',
      `find ${what}: it shares the network of the host (--network host) and cannot be connected`,
    );
  }
  return withOwnNamespace(
    {
      origin: { kind: runtime, id: container.id },
      name: sandboxNameFrom(container.name),
      netnsPath: `/proc/${container.pid}/ns/net`,
      pid: container.pid,
    },
    what,
  );
}
