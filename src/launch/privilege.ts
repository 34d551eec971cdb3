/** Whether this process may do what no daemon does for it: enter namespaces, and signal what runs in them. */
import { readFileSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';

/** include/uapi/linux/capability.h */
const CAP_SYS_ADMIN = 21n;

/** Before anything is made or ended. @throws TsnetError PERMISSION */
export function requirePrivilege(act: string): void {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  if (((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n) return;
  throw new TsnetError(
    'PERMISSION',
    `${act}: this command enters namespaces itself, with or without a daemon; be root (sudo tsnet ${act} …)`,
  );
}
