/** What is at the path of a container's namespace. */
import { statSync } from 'node:fs';
import type { CniHost } from './call.ts';

/** By device and inode: all network namespaces are on one device, nsfs (namespaces(7)). */
export const netnsAt: CniHost['netnsAt'] = (path) => {
  const own = statSync('/proc/self/ns/net');
  const found = statOf(path);
  if (found?.dev !== own.dev) return 'none';
  return found.ino === own.ino ? 'ours' : 'another';
};

function statOf(path: string): { readonly dev: number; readonly ino: number } | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
