/**
 * `containerd:ID` or `containerd:NAMESPACE/ID` — reads the process of a task from containerd's state directory, as the
 * runc shim leaves it: `<state>/io.containerd.runtime.v2.task/<namespace>/<id>/init.pid`. No gRPC, and it works while
 * containerd restarts. Kubernetes' containers are in the namespace `k8s.io`, nerdctl's in `default`, Docker's in `moby`.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { TsnetError } from '../../model/error.ts';
import { sandboxNameFrom } from '../../model/names.ts';
import { withOwnNamespace, type FoundContainer } from './found-container.ts';
import type { Lookups } from './lookups.ts';

const TASKS = 'io.containerd.runtime.v2.task';

interface Task {
  readonly namespace: string;
  readonly id: string;
  readonly folder: string;
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new TsnetError('RUNTIME', `read containerd's state in ${folder}: ${code ?? String(error)}`, { cause: error });
  }
}

async function tasks(states: readonly string[], namespace: string | undefined): Promise<Task[]> {
  const found: Task[] = [];
  for (const state of states) {
    const root = path.join(state, TASKS);
    for (const space of namespace === undefined ? await entries(root) : [namespace]) {
      const folder = path.join(root, space);
      for (const id of await entries(folder)) found.push({ namespace: space, id, folder: path.join(folder, id) });
    }
  }
  return found;
}

/** Without a namespace: CONTAINERD_NAMESPACE as containerd's own tools read it, else all are searched. An id may be a unique prefix. */
export async function findContainerdTask(
  reference: { readonly namespace?: string; readonly id: string },
  { env, containerdStates }: Lookups,
): Promise<FoundContainer> {
  const namespace = reference.namespace ?? (env['CONTAINERD_NAMESPACE'] || undefined);
  const what = `containerd task ${namespace === undefined ? '' : `${namespace}/`}${reference.id}`;
  const all = await tasks(containerdStates, namespace);
  const exact = all.filter(({ id }) => id === reference.id);
  const matches = exact.length > 0 ? exact : all.filter(({ id }) => id.startsWith(reference.id));
  const [task] = matches;
  if (task === undefined) {
    throw new TsnetError(
      'NOT_FOUND',
      `find ${what}: no running task of that id in ${containerdStates.join(' or ')}; \`ctr -n NAMESPACE tasks ls\` lists them`,
    );
  }
  if (matches.length > 1) {
    const names = matches.map(({ namespace: space, id }) => `${space}/${id}`).join(', ');
    throw new TsnetError('AMBIGUOUS', `find ${what}: several tasks match (${names}); type containerd:NAMESPACE/ID`);
  }
  const text = await readFile(path.join(task.folder, 'init.pid'), 'utf8').catch(() => '');
  const pid = /^[1-9][0-9]{0,6}$/.test(text.trim()) ? Number(text) : undefined;
  if (pid === undefined) throw new TsnetError('NOT_FOUND', `find ${what}: it has no process (${task.folder}/init.pid)`);
  return withOwnNamespace(
    {
      origin: { kind: 'containerd', id: task.id },
      name: sandboxNameFrom(task.id),
      netnsPath: `/proc/${pid}/ns/net`,
      pid,
    },
    what,
  );
}
