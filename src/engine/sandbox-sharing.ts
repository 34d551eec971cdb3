/**
 * Sandboxes that share the namespace of another. It is that other's until the last of them is gone; who shares has no
 * endpoints, and what is asked of one is refused with the name of the owner.
 */
import { TsnetError } from '../model/error.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Sandbox } from '../model/records.ts';
import type { Kernel } from '../plan/kernel.ts';

/** The sandbox whose namespace it is. */
export function ownerOf(view: LedgerView, sandbox: Sandbox): Sandbox | undefined {
  return sandbox.shares?.kind === 'sandbox' ? view.sandbox(sandbox.shares.sandboxId) : sandbox;
}

export function sharersOf(view: LedgerView, owner: Sandbox): Sandbox[] {
  return view.sandboxes().filter(({ shares }) => shares?.kind === 'sandbox' && shares.sandboxId === owner.id);
}

/** Whether the first process of a sandbox of our own runs, or is about to. */
export function hasProcess(kernel: Pick<Kernel, 'isAlive'>, { process, owner, state }: Sandbox): boolean {
  if (process !== undefined) return kernel.isAlive(process);
  return state === 'creating' && owner !== undefined && kernel.isAlive(owner);
}

/** Who keeps the namespace of a sandbox from going with its process. */
export function livingSharers(kernel: Pick<Kernel, 'isAlive'>, view: LedgerView, owner: Sandbox): Sandbox[] {
  return sharersOf(view, owner).filter((sandbox) => hasProcess(kernel, sandbox));
}

/** Whose network a sandbox runs in, as `--network` names it: "host", "container:web"; undefined: its own. */
export function sharedNetworkName(view: LedgerView, { shares }: Sandbox): string | undefined {
  switch (shares?.kind) {
    case undefined:
      return undefined;
    case 'host':
      return 'host';
    case 'foreign':
      return `container:${shares.reference}`;
    case 'sandbox':
      return `container:${view.sandbox(shares.sandboxId)?.name ?? shares.sandboxId.slice(0, 12)}`;
  }
}

/** @throws TsnetError for a sandbox whose network is not its own */
export function refuseSharer(view: LedgerView, sandbox: Sandbox, act: string): void {
  const name = sharedNetworkName(view, sandbox);
  if (name === undefined) return;
  const why =
    sandbox.shares?.kind === 'host'
      ? "it runs in the host's own namespace"
      : `its network is that of ${name.slice('container:'.length)}; change that one`;
  throw new TsnetError('FORBIDDEN', `${act}: ${why}`);
}
