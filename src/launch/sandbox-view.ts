/**
 * What a process in a sandbox sees of the host besides the network: the host's files with a resolv.conf, a hosts file,
 * a /sys and, if asked for, a host name of the sandbox's own.
 *
 * The main thread takes the view on, spawns, and puts it off again. The child is forked by this thread and inherits it;
 * the other threads of Node.js never leave the host.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { errorCode, refused } from '../kernel/kernel-refusal.ts';
import { inNetns, openNetns } from '../kernel/netns.ts';
import type { Netns } from '../model/records.ts';
import { launchLibc } from './libc.ts';
import { mountsBelow } from './mount-table.ts';

export type SandboxView =
  /** A new copy of the host's mounts with `files` bound over it. */
  | {
      readonly kind: 'fresh';
      /** Path in the sandbox → file that is seen there; a path that does not exist is left out, with a warning. */
      readonly files: Readonly<Record<string, string>>;
      /** Folder whose mounts the sandbox must not hold: a copy of a bound namespace keeps that namespace alive. */
      readonly without: string;
      readonly hostname?: string;
    }
  /** What a process of the sandbox sees already. */
  | { readonly kind: 'shared'; readonly pid: number };

export interface SandboxPlace {
  readonly netns: Netns;
  readonly view: SandboxView;
  readonly warn: (line: string) => void;
}

const STDERR = 2;

/** Runs `act`, which must be synchronous, on this thread as if in the sandbox. What it spawns stays there. */
export function inSandbox<T>(place: SandboxPlace, act: () => T): T {
  const fd = openNetns(place.netns);
  try {
    return inNetns(fd, () => withView(place, act));
  } finally {
    closeSync(fd);
  }
}

/** The namespaces, root and working directory of this thread, as open files to return by. */
const HOME = ['/proc/thread-self/ns/mnt', '/proc/thread-self/ns/uts', '/', '.'] as const;

function withView<T>({ view, warn }: SandboxPlace, act: () => T): T {
  const [mounts, uts, root, directory] = HOME.map((path) => openSync(path, 'r')) as [number, number, number, number];
  // Opened before anything changes: from inside the view these paths may lead elsewhere.
  try {
    try {
      if (view.kind === 'fresh') takeFreshView(view, warn);
      else shareView(view.pid);
      return act();
    } finally {
      returnHome({ mounts, uts, root, directory });
    }
  } finally {
    for (const fd of [mounts, uts, root, directory]) closeSync(fd);
  }
}

/** A thread that stayed in a sandbox's view would write the host's files in the wrong place: the process ends instead. */
function returnHome(home: { mounts: number; uts: number; root: number; directory: number }): void {
  const libc = launchLibc();
  try {
    libc.unshareRoot();
    libc.enter(home.mounts);
    libc.enter(home.uts);
    // setns(2) moves to the root of the mount namespace, which is not ours if somebody started tsnet in a chroot.
    libc.changeDirectory(home.root);
    libc.changeRootToDirectory();
    libc.changeDirectory(home.directory);
  } catch (error) {
    writeSync(STDERR, `tsnet: cannot return to the host's mounts, giving up: ${String(error)}\n`);
    process.exit(1);
  }
}

function takeFreshView(view: SandboxView & { readonly kind: 'fresh' }, warn: (line: string) => void): void {
  const libc = launchLibc();
  try {
    libc.unshareMounts();
    // "Follow", not "private": a private copy would keep whatever the host unmounts later mounted in here for good.
    libc.makeMountsFollow();
    if (view.hostname !== undefined) {
      libc.unshareHostname();
      libc.setHostname(view.hostname);
    }
  } catch (error) {
    throw refused('make a mount namespace for the sandbox', error);
  }
  for (const [target, source] of Object.entries(view.files)) bindFile(source, target, warn);
  const table = readFileSync('/proc/thread-self/mountinfo', 'utf8');
  forgetMounts(mountsBelow(table, view.without), view.without);
  renewSysfs(mountsBelow(table, '/sys'));
}

/** mount(2) follows a symbolic link at the target, so that /etc/resolv.conf → /run/systemd/… is bound where it leads. */
function bindFile(source: string, target: string, warn: (line: string) => void): void {
  try {
    launchLibc().bindMount(source, target);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw refused(`bind ${source} over ${target}`, error);
    warn(`there is no ${target} on this host: the sandbox gets none`);
  }
}

/** A folder that is a mount itself takes all below it along: one call whatever their number. */
function forgetMounts(mounts: readonly string[], folder: string): void {
  for (const mount of mounts.includes(folder) ? [folder] : mounts) {
    try {
      launchLibc().detachMount(mount);
    } catch {
      // Gone in the meantime: the table that named it is a moment old, and unmounts of the host reach us.
    }
  }
}

/**
 * /sys/class/net shows the network namespace of whoever mounted the sysfs. A fresh one goes on top, and what was mounted
 * inside the old one (cgroups, bpf, debugfs …) is bound into it again. Where sysfs may not be mounted (inside an
 * unprivileged container) the old one stays: only /sys/class/net is wrong then.
 */
function renewSysfs(mounts: readonly string[]): void {
  const inside = mounts.filter((path) => path !== '/sys');
  if (inside.length === mounts.length) return;
  const kept = topmost(inside).flatMap((path) => {
    try {
      return [{ path, fd: openSync(path, 'r') }];
    } catch {
      return [];
    }
  });
  try {
    launchLibc().mountSysfs('/sys');
    for (const { path, fd } of kept) launchLibc().bindTree(`/proc/self/fd/${fd}`, path);
  } catch {
    // A view that is whole but for /sys is better than no sandbox.
  } finally {
    for (const { fd } of kept) closeSync(fd);
  }
}

/** The paths that are below no other of them: binding a tree brings the rest along. */
function topmost(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => other !== path && path.startsWith(`${other}/`)));
}

function shareView(pid: number): void {
  const libc = launchLibc();
  const here = process.cwd();
  const fds: number[] = [];
  const open = (path: string): number => {
    const fd = openSync(path, 'r');
    fds.push(fd);
    return fd;
  };
  try {
    const [mounts, uts] = [open(`/proc/${pid}/ns/mnt`), open(`/proc/${pid}/ns/uts`)];
    libc.unshareRoot();
    // The root is that of the mount namespace from now on, not the process's own: a daemon may have locked itself in a chroot.
    libc.enter(mounts);
    libc.enter(uts);
    try {
      libc.changeDirectory(open(here));
    } catch {
      // The caller's directory is not in this view: the command starts in its root.
    }
  } catch (error) {
    throw refused(`see what process ${pid} of the sandbox sees`, error);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}
