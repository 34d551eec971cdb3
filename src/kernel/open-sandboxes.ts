/**
 * The namespaces of sandboxes that are open now: one file and one socket each, shared by all who are inside at the same time.
 *
 * Whatever is open keeps a namespace alive after its last process, and its veth with it. So nothing stays open longer than
 * somebody is inside.
 */
import { closeSync } from 'node:fs';
import type { Netns } from '../model/records.ts';
import { openRouteSocket } from './host-sockets.ts';
import { inNetns, openNetns, openNetnsAnd } from './netns.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** One visitor's way in. Nothing is opened before it is needed. */
export interface OpenSandbox {
  /** The open file of the namespace. Throws TsnetError NOT_FOUND when it is gone or another one now. */
  readonly file: () => number;
  /** A route socket inside. Throws as `file` does. */
  readonly socket: () => NetlinkSocket;
  /** Does one synchronous thing inside. Throws as `file` does. */
  readonly inside: <T>(act: () => T) => T;
  /** Closes what was opened, unless others are inside; to be called once. */
  readonly leave: () => Promise<void>;
}

interface Shared {
  visitors: number;
  file: number | undefined;
  socket: NetlinkSocket | undefined;
}

export class OpenSandboxes {
  readonly #shared = new Map<string, Shared>();

  enter(netns: Netns): OpenSandbox {
    const key = `${netns.path} ${netns.device}:${netns.inode} ${netns.cookie ?? ''}`;
    const shared = this.#shared.get(key) ?? { visitors: 0, file: undefined, socket: undefined };
    this.#shared.set(key, shared);
    shared.visitors += 1;
    const inside = <T>(act: () => T): T => {
      if (shared.file !== undefined) return inNetns(shared.file, act);
      const opened = openNetnsAnd(netns, act);
      shared.file = opened.file;
      return opened.done;
    };
    return {
      file: () => (shared.file ??= openNetns(netns)),
      socket: () => (shared.socket ??= inside(openRouteSocket)),
      inside: (act) =>
        inside(() => {
          // Whoever looks around will have something to say as well: one way in and out for both.
          shared.socket ??= openRouteSocket();
          return act();
        }),
      leave: async () => {
        shared.visitors -= 1;
        if (shared.visitors > 0) return;
        this.#shared.delete(key);
        if (shared.file !== undefined) closeSync(shared.file);
        await shared.socket?.close();
      },
    };
  }
}
