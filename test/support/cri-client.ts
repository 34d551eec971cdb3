/**
 * As much of Kubernetes' container runtime interface as the tests need (k8s.io/cri-api, runtime/v1/api.proto): messages by hand, a
 * field a line.
 */
import { Client, credentials } from '@grpc/grpc-js';

/** A field of a message: its number and its value; nothing for what is not there. */
type Field = readonly [number: number, value: string | number | Uint8Array | undefined];

const WIRE_VARINT = 0;
const WIRE_BYTES = 2;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

function message(...fields: readonly Field[]): Buffer {
  const parts = fields.map(([number, value]) => {
    if (value === undefined) return Buffer.alloc(0);
    if (typeof value === 'number') return Buffer.from([...varint((number << 3) | WIRE_VARINT), ...varint(value)]);
    const bytes = Buffer.from(value as Uint8Array);
    return Buffer.concat([Buffer.from([...varint((number << 3) | WIRE_BYTES), ...varint(bytes.length)]), bytes]);
  });
  return Buffer.concat(parts);
}

/** Texts and messages of a message, by number; numbers are passed over. */
function read(bytes: Buffer): ReadonlyMap<number, readonly Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = number();
    const size = number();
    if ((key & 7) === WIRE_VARINT) continue;
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), bytes.subarray(at, at + size)]);
    at += size;
  }
  return fields;
}

export interface PodConfig {
  readonly name: string;
  readonly namespace: string;
  readonly logs: string;
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly ports: readonly { readonly hostPort: number; readonly containerPort: number }[];
}

function podMessage({ name, namespace, logs, servers, searches, ports }: PodConfig): Buffer {
  return message(
    [1, message([1, name], [2, `uid-${name}`], [3, namespace], [4, 0])],
    [2, name],
    [3, logs],
    [4, message(...servers.map((server): Field => [1, server]), ...searches.map((domain): Field => [2, domain]))],
    ...ports.map(({ hostPort, containerPort }): Field => [5, message([2, containerPort], [3, hostPort])]),
    [8, message([1, '/tsnet-test'])],
  );
}

export interface Cri {
  readonly runPod: (pod: PodConfig) => Promise<string>;
  readonly stopPod: (id: string) => Promise<void>;
  readonly removePod: (id: string) => Promise<void>;
  /** The address that the runtime knows of. */
  readonly podAddress: (id: string) => Promise<string>;
  /** Whether it takes pods, and why not: RuntimeReady and NetworkReady. */
  readonly conditions: () => Promise<Readonly<Record<string, boolean>>>;
  readonly close: () => void;
}

const DEADLINE_MS = 60_000;

export function openCri(socket: string): Cri {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const ask = (method: string, request: Buffer): Promise<ReadonlyMap<number, readonly Buffer[]>> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + DEADLINE_MS;
      const [write, parse] = [(bytes: Buffer): Buffer => bytes, (bytes: Buffer): Buffer => bytes];
      client.makeUnaryRequest(
        `/runtime.v1.RuntimeService/${method}`,
        write,
        parse,
        request,
        { deadline },
        (error, answer) => {
          if (error !== null) reject(error);
          else resolve(read(answer ?? Buffer.alloc(0)));
        },
      );
    });
  const text = (fields: ReadonlyMap<number, readonly Buffer[]>, number: number): string =>
    fields.get(number)?.[0]?.toString('utf8') ?? '';
  return {
    runPod: async (pod) => text(await ask('RunPodSandbox', message([1, podMessage(pod)])), 1),
    stopPod: async (id) => {
      await ask('StopPodSandbox', message([1, id]));
    },
    removePod: async (id) => {
      await ask('RemovePodSandbox', message([1, id]));
    },
    podAddress: async (id) => {
      const status = read((await ask('PodSandboxStatus', message([1, id]))).get(1)?.[0] ?? Buffer.alloc(0));
      return text(read(status.get(5)?.[0] ?? Buffer.alloc(0)), 1);
    },
    conditions: async () => {
      const status = read((await ask('Status', message())).get(1)?.[0] ?? Buffer.alloc(0));
      // The flag of a condition is written only where it holds.
      return Object.fromEntries(
        (status.get(1) ?? []).map((bytes) => [text(read(bytes), 1), bytes.includes(Buffer.from([0x10, 1]))]),
      );
    },
    close: () => {
      client.close();
    },
  };
}
