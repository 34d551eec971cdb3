/** What a call of netavark works with, once its request is understood. */
import type { Engine } from '../../engine/engine.ts';
import type { Aardvark } from './aardvark.ts';

export interface Session {
  readonly engine: Engine;
  /** A daemon acts: it serves names inside the containers too. */
  readonly isDaemon: boolean;
  /** Absent where podman found no aardvark-dns. */
  readonly aardvark?: Aardvark;
  /** The link of the host's default route: the parent of macvlan networks that name none. */
  readonly uplink: () => string | undefined;
}
