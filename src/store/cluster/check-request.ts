/** What every adapter refuses in the same way, before it asks the store: a caller that breaks the contract is a bug of ours. */
import { LARGEST_VALUE, MAX_OPERATIONS, type StoreTransaction } from '../../model/cluster-store.ts';
import { TsnetError } from '../../model/error.ts';

const KEY = /^[^/]+(\/[^/]+)*$/;

/** @throws TsnetError INTERNAL */
export function checkKey(key: string): void {
  if (!KEY.test(key)) throw new TsnetError('INTERNAL', `cluster store: "${key}" is no key`);
}

/** @throws TsnetError INTERNAL */
export function checkPrefix(prefix: string): void {
  if (!prefix.endsWith('/') || !KEY.test(prefix.slice(0, -1))) {
    throw new TsnetError('INTERNAL', `cluster store: "${prefix}" is no directory`);
  }
}

/** @throws TsnetError INTERNAL */
export function checkTransaction({ expect, operations }: StoreTransaction): void {
  for (const [what, list] of [
    ['operations', operations],
    ['expectations', expect],
  ] as const) {
    if (list.length > MAX_OPERATIONS) {
      throw new TsnetError('INTERNAL', `cluster store: ${list.length} ${what} in one transaction`);
    }
    const keys = list.map(({ key }) => key);
    keys.forEach(checkKey);
    if (new Set(keys).size < keys.length) throw new TsnetError('INTERNAL', `cluster store: a key twice in ${what}`);
  }
  for (const operation of operations) {
    if (operation.kind !== 'put') continue;
    const bytes = Buffer.byteLength(operation.value);
    if (bytes === 0 || bytes > LARGEST_VALUE) {
      throw new TsnetError('INTERNAL', `cluster store: a value of ${bytes} bytes for ${operation.key}`);
    }
  }
}

/** Whether `key` is directly in the directory `prefix`. */
export function isDirectlyIn(key: string, prefix: string): boolean {
  return key.startsWith(prefix) && !key.includes('/', prefix.length);
}
