/** What of node-zookeeper-client (1.1) tsnet uses. */
declare module 'node-zookeeper-client' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  export interface Stat {
    /** Transaction that created the node, 8 bytes. */
    readonly czxid: Buffer;
    /** Writes since then. */
    readonly version: number;
    /** Session whose end takes the node away, 8 bytes; 0: none. */
    readonly ephemeralOwner: Buffer;
  }

  export type Watcher = () => void;
  type Answer<Values extends readonly unknown[]> = (error: Error | null | undefined, ...values: Values) => void;

  export interface Transaction {
    readonly ops: { version?: number }[];
    create(path: string, data: Buffer, acls: readonly object[], mode: number): this;
    setData(path: string, data: Buffer, version: number): this;
    check(path: string, version: number): this;
    remove(path: string, version: number): this;
    commit(answer: Answer<[unknown]>): void;
  }

  export interface Client extends EventEmitter {
    /** Not part of its API: the way to let a connection go without ending the session. */
    readonly connectionManager: { connect: () => void; readonly socket?: Socket };
    connect(): void;
    close(): void;
    addAuthInfo(scheme: string, auth: Buffer): void;
    getSessionId(): Buffer;
    getSessionPassword(): Buffer;
    /** Milliseconds, as the server granted it. */
    getSessionTimeout(): number;
    getData(path: string, watcher: Watcher | undefined, answer: Answer<[Buffer | undefined, Stat]>): void;
    getChildren(path: string, watcher: Watcher | undefined, answer: Answer<[string[], Stat]>): void;
    exists(path: string, watcher: Watcher | undefined, answer: Answer<[Stat | null]>): void;
    mkdirp(path: string, acls: readonly object[], answer: Answer<[string]>): void;
    transaction(): Transaction;
  }

  interface Library {
    createClient(
      server: string,
      options: {
        /** Milliseconds. */
        readonly sessionTimeout: number;
        readonly retries: number;
        readonly sessionId?: Buffer;
        readonly sessionPassword?: Buffer;
      },
    ): Client;
    readonly ACL: { readonly OPEN_ACL_UNSAFE: readonly object[]; readonly CREATOR_ALL_ACL: readonly object[] };
    readonly CreateMode: { readonly PERSISTENT: number; readonly EPHEMERAL: number };
    readonly Exception: {
      readonly NO_NODE: number;
      readonly NODE_EXISTS: number;
      readonly BAD_VERSION: number;
      readonly NO_AUTH: number;
      readonly AUTH_FAILED: number;
    };
  }

  const library: Library;
  export default library;
}
