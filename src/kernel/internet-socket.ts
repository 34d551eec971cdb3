/**
 * UDP and TCP sockets as open files, through npm `koffi`, for namespaces that Node.js cannot open one in.
 *
 * A socket stays in the namespace of the thread that made it; `dgram` and `net` take the file over from there.
 */
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { addressBytes } from './address-bytes.ts';
import { raised } from './high-descriptor.ts';
import { KernelRefusal } from './kernel-refusal.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const TYPES = { udp: 2, tcp: 1 } as const;
const NONBLOCK_CLOEXEC = 0o2004000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BUFFER = Buffer.from(Uint32Array.of(1 << 20).buffer);
const EINPROGRESS = 115;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

interface Calls {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Buffer, bytes: number) => number;
  readonly connect: (fd: number, address: Buffer, bytes: number) => number;
  readonly name: (fd: number, address: Buffer, bytes: Buffer) => number;
  readonly setOption: (fd: number, level: number, option: number, value: Buffer, bytes: number) => number;
  readonly errno: () => number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  return (loaded ??= load());
}

function load(): Calls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  return {
    socket: library.func('int socket(int family, int type, int protocol)'),
    bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
    connect: library.func('int connect(int fd, const void *address, uint32_t length)'),
    name: library.func('int getsockname(int fd, void *address, void *length)'),
    setOption: library.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    errno: () => koffi.errno(),
  };
}

/** `struct sockaddr_in`, `struct sockaddr_in6` */
function socketAddress(address: string, port: number): Buffer {
  const bytes = addressBytes(address);
  const isV4 = bytes.length === 4;
  const socketAddress = Buffer.alloc(isV4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  socketAddress.writeUInt16LE(isV4 ? AF_INET : AF_INET6, 0);
  socketAddress.writeUInt16BE(port, 2);
  bytes.copy(socketAddress, isV4 ? 4 : 8);
  return socketAddress;
}

function open(protocol: 'udp' | 'tcp', address: string, act: (fd: number, address: (port: number) => Buffer) => void) {
  const { socket, errno } = calls();
  const fd = socket(address.includes(':') ? AF_INET6 : AF_INET, TYPES[protocol] | NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new KernelRefusal(errno());
  try {
    act(fd, (port) => socketAddress(address, port));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return raised(fd);
}

/** A socket of this thread's namespace, bound. Port 0: the kernel chooses one. Throws KernelRefusal: EADDRINUSE … */
export function openBoundSocket(protocol: 'udp' | 'tcp', address: string, port: number): number {
  const { bind, setOption, errno } = calls();
  return open(protocol, address, (fd, at) => {
    // Rather a late answer than none when many ask at once; it costs memory only then.
    if (protocol === 'udp') setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER, RECEIVE_BUFFER.length);
    // Connections that a predecessor closed rest for a minute; they do not stand in the way of a listener. UDP has no such rest.
    if (protocol === 'tcp' && setOption(fd, SOL_SOCKET, SO_REUSEADDR, Buffer.of(1, 0, 0, 0), 4) < 0) {
      throw new KernelRefusal(errno());
    }
    if (bind(fd, at(port), at(port).length) < 0) throw new KernelRefusal(errno());
  });
}

/** A TCP connection out of this thread's namespace, being made. Throws KernelRefusal: ENETUNREACH … */
export function openConnection(address: string, port: number): number {
  const { connect, errno } = calls();
  return open('tcp', address, (fd, at) => {
    if (connect(fd, at(port), at(port).length) === 0) return;
    const refusal = errno();
    if (refusal !== EINPROGRESS) throw new KernelRefusal(refusal);
  });
}

/** The port that a bound socket has. */
export function portOf(fd: number): number {
  const { name, errno } = calls();
  const address = Buffer.alloc(SOCKADDR_IN6_BYTES);
  if (name(fd, address, Buffer.of(address.length, 0, 0, 0)) < 0) throw new KernelRefusal(errno());
  return address.readUInt16BE(2);
}
