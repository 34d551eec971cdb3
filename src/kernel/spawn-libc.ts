/**
 * Starting a program without a copy of this process, through npm `koffi`.
 *
 * Node.js forks first, and the kernel copies the page tables of all it has: some 15 ms in a daemon of 200 MB, in which nothing
 * else is done. posix_spawn(3) borrows the memory until the program is loaded: a fraction of a millisecond at any size.
 */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { KernelRefusal } from './kernel-refusal.ts';

export interface SpawnLibc {
  /**
   * Starts the program at a path; it has nothing but `files`, its descriptors from 0 on. Its network namespace is this thread's.
   * @returns its process id, to be waited for
   * @throws Error with `code`, as spawn(2) of Node.js: ENOENT …
   */
  spawn(path: string, args: readonly string[], env: readonly string[], files: readonly number[]): number;
  /** How it ended, as wait(2) tells; undefined while it runs. */
  reap(pid: number): number | undefined;
  /** A file without a name, in memory. */
  memoryFile(): number;
}

const SIGPIPE = 13;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const WNOHANG = 1;
const MFD_CLOEXEC = 1;
/** Bytes; more than any C library's posix_spawnattr_t, posix_spawn_file_actions_t (glibc 336, 80) and sigset_t (128) take. */
const OPAQUE_BYTES = 1024;

let loaded: SpawnLibc | undefined;

export function spawnLibc(): SpawnLibc {
  return (loaded ??= load());
}

function load(): SpawnLibc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const define = (prototype: string): ((...values: unknown[]) => number) => library.func(prototype);
  const posixSpawn = define(
    'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
  );
  const initActions = define('int posix_spawn_file_actions_init(void *actions)');
  const addDup2 = define('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)');
  const destroyActions = define('int posix_spawn_file_actions_destroy(void *actions)');
  const initAttributes = define('int posix_spawnattr_init(void *attributes)');
  const setFlags = define('int posix_spawnattr_setflags(void *attributes, short flags)');
  const setDefault = define('int posix_spawnattr_setsigdefault(void *attributes, void *signals)');
  const setMask = define('int posix_spawnattr_setsigmask(void *attributes, void *signals)');
  const emptySet = define('int sigemptyset(void *signals)');
  const addSignal = define('int sigaddset(void *signals, int signal)');
  const waitpid = define('int waitpid(int pid, void *status, int options)');
  const memfdCreate = define('int memfd_create(const char *name, unsigned int flags)');
  const check = (result: number): number => {
    if (result < 0) throw new KernelRefusal(koffi.errno());
    return result;
  };

  /** Node.js ignores SIGPIPE; a program is to die of it, as it would in a shell. */
  const attributes = Buffer.alloc(OPAQUE_BYTES);
  const signals = Buffer.alloc(OPAQUE_BYTES);
  initAttributes(attributes);
  emptySet(signals);
  setMask(attributes, signals);
  addSignal(signals, SIGPIPE);
  setDefault(attributes, signals);
  setFlags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);

  return {
    spawn: (path, args, env, files) => {
      const actions = Buffer.alloc(OPAQUE_BYTES);
      const pid = Buffer.alloc(4);
      initActions(actions);
      try {
        for (const [to, from] of files.entries()) addDup2(actions, from, to);
        const error = posixSpawn(pid, path, actions, attributes, [path, ...args, null], [...env, null]);
        if (error !== 0) throw startError(path, error);
        return pid.readInt32LE(0);
      } finally {
        destroyActions(actions);
      }
    },
    reap: (pid) => {
      const status = Buffer.alloc(4);
      return check(waitpid(pid, status, WNOHANG)) === 0 ? undefined : status.readInt32LE(0);
    },
    memoryFile: () => check(memfdCreate('tsnet', MFD_CLOEXEC)),
  };
}

function startError(path: string, errno: number): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`spawn ${path} ${code}`), { code, errno: -errno, syscall: 'spawn', path });
}
