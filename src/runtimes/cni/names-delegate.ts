/** Whether a configuration names another IPAM plugin. What cannot be read names none. */
import { delegateOf, readConfig } from './network-config.ts';

export function namesDelegate(input: string): boolean {
  try {
    return delegateOf(readConfig(input).fields) !== undefined;
  } catch {
    return false;
  }
}
