/**
 * The system calls that a launch needs besides those of `src/kernel/libc.ts`, through npm `koffi`.
 *
 * They act on the calling thread alone. After `unshareMounts` or `enter` of a mount namespace this thread has a root and
 * a working directory of its own (CLONE_FS is gone), which Node.js's thread pool does not follow.
 */
import { createRequire } from 'node:module';
import { KernelRefusal } from '../kernel/kernel-refusal.ts';

/** Every function throws KernelRefusal with the call's errno. */
export interface LaunchLibc {
  /** A copy of the mount tree for this thread. */
  unshareMounts(): void;
  /** A host name for this thread and its children. */
  unshareHostname(): void;
  /** Gives this thread a root and a working directory of its own; setns(2) to a mount namespace asks for it. */
  unshareRoot(): void;
  /** Enters the namespace behind an open file of nsfs, whatever its kind. */
  enter(fd: number): void;
  /** Mounts of the host that come and go later do so here too; nothing goes the other way. */
  makeMountsFollow(): void;
  bindMount(source: string, target: string): void;
  /** A mount and all below it. */
  bindTree(source: string, target: string): void;
  /** /sys as the network namespace of this thread sees it. */
  mountSysfs(target: string): void;
  detachMount(target: string): void;
  changeDirectory(fd: number): void;
  /** Makes the working directory the root. */
  changeRootToDirectory(): void;
  setHostname(name: string): void;
  closeOnExec(fd: number): void;
  /** Both ends close on exec. */
  pipe(): { readonly readFd: number; readonly writeFd: number };
}

const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;
const CLONE_NEWUTS = 0x4000000;
const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MS_BIND = 0x1000;
const MS_REC = 0x4000;
const MS_SLAVE = 0x80000;
const MNT_DETACH = 2;
const O_CLOEXEC = 0o2000000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

let loaded: LaunchLibc | undefined;

export function launchLibc(): LaunchLibc {
  return (loaded ??= load());
}

function load(): LaunchLibc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const bind = (prototype: string): ((...values: unknown[]) => void) => {
    const call = library.func(prototype) as unknown as (...values: unknown[]) => number;
    return (...values) => {
      if (call(...values) < 0) throw new KernelRefusal(koffi.errno());
    };
  };
  const setns = bind('int setns(int fd, int type)');
  const unshare = bind('int unshare(int flags)');
  const mount = bind(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)',
  );
  const umount2 = bind('int umount2(const char *target, int flags)');
  const fchdir = bind('int fchdir(int fd)');
  const chroot = bind('int chroot(const char *path)');
  const sethostname = bind('int sethostname(const char *name, size_t length)');
  const fcntl = bind('int fcntl(int fd, int command, int argument)');
  const pipe2 = bind('int pipe2(void *ends, int flags)');
  return {
    unshareMounts: () => {
      unshare(CLONE_NEWNS);
    },
    unshareHostname: () => {
      unshare(CLONE_NEWUTS);
    },
    unshareRoot: () => {
      unshare(CLONE_FS);
    },
    enter: (fd) => {
      setns(fd, 0);
    },
    makeMountsFollow: () => {
      mount('none', '/', null, MS_REC | MS_SLAVE, null);
    },
    bindMount: (source, target) => {
      mount(source, target, null, MS_BIND, null);
    },
    bindTree: (source, target) => {
      mount(source, target, null, MS_BIND | MS_REC, null);
    },
    mountSysfs: (target) => {
      mount('sysfs', target, 'sysfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, null);
    },
    detachMount: (target) => {
      umount2(target, MNT_DETACH);
    },
    changeDirectory: (fd) => {
      fchdir(fd);
    },
    changeRootToDirectory: () => {
      chroot('.');
    },
    setHostname: (name) => {
      sethostname(name, Buffer.byteLength(name));
    },
    closeOnExec: (fd) => {
      fcntl(fd, F_SETFD, FD_CLOEXEC);
    },
    pipe: () => {
      const ends = Buffer.alloc(8);
      pipe2(ends, O_CLOEXEC);
      return { readFd: ends.readInt32LE(0), writeFd: ends.readInt32LE(4) };
    },
  };
}
