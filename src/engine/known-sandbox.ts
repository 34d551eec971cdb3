/**
 * The sandbox of the ledger that a CONTAINER reference means, dead or alive: leaving a network must work when the namespace
 * is gone, so a reference is matched with how the sandbox was named to us before anybody looks for it in the kernel.
 */
import path from 'node:path';
import type { LedgerView } from '../model/ledger.ts';
import type { Sandbox } from '../model/records.ts';
import type { EngineContext } from './context.ts';
import { findSandbox, requireSandbox } from './lookup.ts';

const PREFIX = /^(netns|pid|docker|podman|containerd|cni|oci):(.+)$/;

/** Whether the sandbox was attached under this reference: "netns:db", "/run/netns/db", "pid:812", "docker:web". */
function wasNamed({ name, netns, origin }: Sandbox, reference: string): boolean {
  if (netns.path === reference) return true;
  const [, kind, rest = ''] = PREFIX.exec(reference) ?? [];
  if (kind !== origin.kind) return false;
  switch (origin.kind) {
    case 'netns':
      return origin.path === path.join('/run/netns', rest);
    case 'pid':
      return String(origin.pid) === rest;
    case 'docker':
    case 'podman':
    case 'containerd':
    case 'cni':
    case 'oci':
      return name === rest || origin.id.startsWith(rest);
    case 'own':
    case 'docker-plugin':
      return false;
  }
}

/** Names are made from references: the record that a reference most likely means, found without going through all. */
function likely(view: LedgerView, reference: string): Sandbox | undefined {
  const [, kind, rest = ''] = PREFIX.exec(reference) ?? [];
  const name = kind === 'pid' ? `pid-${rest}` : path.basename(kind === undefined ? reference : rest);
  const sandbox = view.sandboxByName(name);
  return sandbox !== undefined && wasNamed(sandbox, reference) ? sandbox : undefined;
}

export async function knownSandbox(context: EngineContext, reference: string): Promise<Sandbox> {
  const { ledger, kernel } = context;
  const known = ledger.read(
    (view) =>
      likely(view, reference) ??
      findSandbox(view, reference) ??
      view.sandboxes().find((sandbox) => wasNamed(sandbox, reference)),
  );
  if (known !== undefined) return known;
  // The same namespace may have been attached under another name.
  if (PREFIX.test(reference) || reference.startsWith('/')) {
    const netns = kernel.netnsAt((await context.resolveContainer(reference)).netnsPath);
    const same = netns === undefined ? undefined : ledger.read((view) => view.sandboxByNetns(netns));
    if (same !== undefined) return same;
  }
  return ledger.read((view) => requireSandbox(view, reference));
}
