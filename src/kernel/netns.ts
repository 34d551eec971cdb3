/**
 * Network namespaces: make, bind, enter, tell apart.
 *
 * A namespace is entered on the main thread for one synchronous act (open a netlink socket, read a sysctl) and left in
 * `finally`. Nothing awaits inside, so no other code of the process ever runs in a foreign namespace; the thread pool of
 * Node.js stays in the host's namespace all the time.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import type { Netns } from '../model/records.ts';
import { CLONE_NEWNET, libc } from './libc.ts';
import { errorCode, hasEnded, refused } from './kernel-refusal.ts';

/** This thread's own, whichever thread it is. */
const CURRENT = '/proc/thread-self/ns/net';
const NSFS_MAGIC = 0x6e736673;
const STDERR = 2;

/** Opens a recorded namespace; the caller closes the file. Throws TsnetError NOT_FOUND when it is gone or another one now. */
export function openNetns(netns: Netns): number {
  return openNetnsAnd(netns, undefined).file;
}

/** The same, and does `act` inside, in one visit. */
export function openNetnsAnd<T>(netns: Netns, act: () => T): { readonly file: number; readonly done: T };
export function openNetnsAnd<T>(
  netns: Netns,
  act: (() => T) | undefined,
): { readonly file: number; readonly done: T | undefined };
export function openNetnsAnd<T>(netns: Netns, act: (() => T) | undefined): { file: number; done: T | undefined } {
  let file: number;
  try {
    file = openSync(netns.path, 'r');
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw refused(`open the network namespace ${netns.path}`, cause);
    throw new TsnetError('NOT_FOUND', `the network namespace ${netns.path} is gone; run tsnet gc`, { cause });
  }
  try {
    const { dev, ino } = fstatSync(file);
    if (dev !== netns.device || ino !== netns.inode) throw anotherNetns(netns);
    if (netns.cookie === undefined && act === undefined) return { file, done: undefined };
    const done = inNetns(file, () => {
      // The kernel gives the inode of a dead namespace to the next one; the cookie, where the record has it, tells them apart.
      if (netns.cookie !== undefined && netns.cookie !== libc().netnsCookie()) throw anotherNetns(netns);
      return act?.();
    });
    return { file, done };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function anotherNetns({ path: target, inode }: Netns): TsnetError {
  return new TsnetError(
    'NOT_FOUND',
    `the network namespace at ${target} is not the one that was attached (net:[${inode}]); run tsnet gc`,
  );
}

/** Runs `act` inside the namespace behind `fd`. `act` must be synchronous. */
export function inNetns<T>(fd: number, act: () => T): T {
  const home = openSync(CURRENT, 'r');
  try {
    enter(fd);
    try {
      return act();
    } finally {
      returnTo(home);
    }
  } finally {
    closeSync(home);
  }
}

function enter(fd: number): void {
  try {
    libc().enterNetns(fd);
  } catch (error) {
    throw refused('enter a network namespace', error);
  }
}

/** Going on in a foreign namespace would configure the wrong host: the process ends instead. */
function returnTo(home: number): void {
  try {
    libc().enterNetns(home);
  } catch (error) {
    writeSync(STDERR, `tsnet: cannot return to the host's network namespace, giving up: ${String(error)}\n`);
    process.exit(1);
  }
}

/** Makes a namespace and binds it to `path`, where nothing may be yet. */
export function createNetns(target: string): Netns {
  try {
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, '', { flag: 'wx', mode: 0o444 });
  } catch (error) {
    throw refused(`create the network namespace ${target}`, error);
  }
  const home = openSync(CURRENT, 'r');
  try {
    libc().unshareNetns();
    try {
      libc().bindMount(CURRENT, target);
    } finally {
      returnTo(home);
    }
  } catch (error) {
    rmSync(target, { force: true });
    throw refused(`create the network namespace ${target}`, error);
  } finally {
    closeSync(home);
  }
  const made = netnsAt(target);
  if (made !== undefined) return made;
  throw new TsnetError('KERNEL', `the network namespace ${target} was taken away while it was made`);
}

/** Unbinds `path` and removes the file. What lives in the namespace lives on; missing is fine. */
export function removeNetns(target: string): void {
  try {
    // A path can be bound over more than once; each mount hides the one before.
    for (let mounts = 0; mounts < 16; mounts++) libc().detachMount(target);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return;
    if (code !== 'EINVAL') throw refused(`remove the network namespace ${target}`, error);
  }
  try {
    rmSync(target, { force: true });
  } catch (error) {
    throw refused(`remove the network namespace ${target}`, error);
  }
}

/** The network namespace at a path now; undefined when there is none. */
export function netnsAt(target: string): Netns | undefined {
  let fd: number;
  try {
    if (statfsSync(target).type !== NSFS_MAGIC) return undefined;
    fd = openSync(target, 'r');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') return undefined;
    throw refused(`look at the network namespace ${target}`, error);
  }
  try {
    if (libc().namespaceType(fd) !== CLONE_NEWNET) return undefined;
    const { dev, ino } = fstatSync(fd);
    const cookie = inNetns(fd, () => libc().netnsCookie());
    return { path: target, device: dev, inode: ino, ...(cookie === undefined ? {} : { cookie }) };
  } finally {
    closeSync(fd);
  }
}

/** Whether this process lives in the namespace. */
export function isHost(netns: Netns): boolean {
  const { dev, ino } = statSync(CURRENT);
  return ino === netns.inode && dev === netns.device;
}

/** Whether some process lives in the namespace. Processes that we may not look into are left out. */
export function netnsInUse(netns: Pick<Netns, 'device' | 'inode' | 'cookie'>): boolean {
  return readdirSync('/proc').some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const file = `/proc/${entry}/ns/net`;
      const { dev, ino } = statSync(file);
      if (ino !== netns.inode || dev !== netns.device) return false;
      // The kernel gives the inode of a namespace that is gone to the next one.
      return netns.cookie === undefined || (netnsAt(file)?.cookie ?? netns.cookie) === netns.cookie;
    } catch (error) {
      if (hasEnded(error) || isHidden(error)) return false;
      throw refused(`look at process ${entry}`, error);
    }
  });
}

function isHidden(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EACCES' || code === 'EPERM';
}
