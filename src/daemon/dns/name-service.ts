/**
 * The name service: 127.0.0.11 inside every sandbox that is on a network.
 *
 * A question goes from a program of the sandbox to 127.0.0.11:53, over the sandbox's own redirect and `lo` to a socket that this
 * process has open there, and becomes an answer in `answer.ts`. Which sandboxes have sockets follows the ledger.
 */
import { statSync } from 'node:fs';
import { nameSocketKernel, type NameSocketKernel } from '../../kernel/name-sockets.ts';
import { resolvConfText, sandboxFolder } from '../../launch/sandbox-files.ts';
import { createResolvConf, updateResolvConf } from '../../launch/resolv-conf-file.ts';
import type { Ledger } from '../../model/ledger.ts';
import type { Endpoint, Netns, ResolverOverrides, Sandbox } from '../../model/records.ts';
import type { Kernel } from '../../plan/kernel.ts';
import type { Follower } from '../follower.ts';
import type { Log } from '../log.ts';
import { openAnswerer, type QueryResult, type RemoteNames } from './answer.ts';
import { openForwarder } from './forwarder.ts';
import { followHostNameservers } from './host-nameservers.ts';
import { listen, type Listener } from './listener.ts';
import { openNetworkIndex } from './own-names.ts';
import { openRotation } from './rotation.ts';
import { openUpstreams } from './upstreams.ts';

export interface NameServiceOptions {
  readonly ledger: Pick<Ledger, 'read'>;
  readonly kernel: Pick<Kernel, 'isHost' | 'netnsInUse'>;
  readonly sockets?: NameSocketKernel;
  /** Below it are the files of sandboxes of our own. */
  readonly execRoot: string;
  /** /etc/resolv.conf, followed as it changes. */
  readonly hostResolvConf: string;
  /** daemon.json's `dns`, `dns-search`, `dns-opts`: of containers that were not started by `tsnet run`. */
  readonly resolverDefaults: () => ResolverOverrides;
  readonly log: Log;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  readonly onQuery?: (result: QueryResult) => void;
  /** Absent: this host is in no cluster. */
  readonly remote?: RemoteNames;
}

export interface NameService extends Follower {
  /** Sandboxes in which it answers. */
  serving(): number;
}

interface Site {
  readonly netns: Netns;
  readonly listener: Listener;
}

/** A sandbox that is to be served, and what its resolv.conf depends on. */
interface Wanted {
  readonly sandbox: Sandbox;
  readonly endpoints: readonly Endpoint[];
}

const NO_OTHER_HOSTS: RemoteNames = { addressesOf: () => [], nameOf: () => undefined };

export function openNameService(options: NameServiceOptions): NameService {
  const { ledger, kernel, sockets = nameSocketKernel(), execRoot, hostResolvConf, log, now } = options;
  const { resolverDefaults, onQuery = () => undefined, remote = NO_OTHER_HOSTS } = options;
  const sites = new Map<string, Site>();
  /** Sandboxes that cannot be served, and why: said once. */
  const complaints = new Map<string, string>();
  /** What each resolv.conf is to be, as far as it was seen to. */
  const resolvConfs = new Map<string, string>();
  let isClosed = false;
  const isOpen = (): boolean => !isClosed;

  const answer = openAnswerer({
    ledger,
    networkIndex: openNetworkIndex(),
    rotate: openRotation(),
    forwarder: openForwarder({ now }),
    upstreamsOf: openUpstreams({
      sockets,
      hostNameservers: followHostNameservers(hostResolvConf, now),
      defaults: resolverDefaults,
    }),
    onQuery,
    remote,
  });

  const complain = (sandbox: Sandbox, error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error);
    if (complaints.get(sandbox.id) === reason) return;
    complaints.set(sandbox.id, reason);
    log.warn({ sandbox: sandbox.name, reason }, 'names are not served in a sandbox');
  };

  const open = async (sandbox: Sandbox): Promise<void> => {
    const { id, netns } = sandbox;
    try {
      const listener = await listen({
        sockets: await sockets.listen(netns, id),
        sandboxId: id,
        answer,
        now,
        onBroken: (error) => {
          complain(sandbox, error);
          void shut(id);
        },
      });
      if (isClosed) await listener.close();
      else sites.set(id, { netns, listener });
      complaints.delete(id);
    } catch (error) {
      complain(sandbox, error);
    }
  };

  const shut = async (id: string): Promise<void> => {
    const site = sites.get(id);
    sites.delete(id);
    await site?.listener.close();
  };

  const writeResolvConf = ({ sandbox, endpoints }: Wanted): void => {
    const { id, name, origin, resolver } = sandbox;
    if (origin.kind !== 'own') return;
    try {
      const text = resolvConfText({ name, endpoints }, resolver ?? resolverDefaults(), {
        hostFile: hostResolvConf,
        nameService: true,
      });
      if (resolvConfs.get(id) === text) return;
      const folder = sandboxFolder(execRoot, id);
      // Before `run` comes to its files: it leaves this one as it finds it.
      if (sandbox.process === undefined) createResolvConf(folder, text);
      const outcome = updateResolvConf(folder, text);
      if (outcome !== 'none') resolvConfs.set(id, text);
      if (outcome === 'edited')
        log.info({ sandbox: name }, 'resolv.conf was edited in the sandbox and is left as it is');
    } catch (error) {
      complain(sandbox, error);
    }
  };

  /** An open socket keeps a namespace alive: once nothing else does, ours are closed, and the kernel takes it down. */
  const isOver = (netns: Netns): boolean => !isAt(netns) && !kernel.netnsInUse(netns);

  const syncOne = async (id: string): Promise<void> => {
    const wanted = ledger.read((view) => {
      const sandbox = view.sandbox(id);
      return sandbox === undefined ? undefined : wantedOf(sandbox, view.endpointsOfSandbox(id));
    });
    const site = sites.get(id);
    if (wanted === undefined || kernel.isHost(wanted.sandbox.netns) || isOver(wanted.sandbox.netns)) {
      complaints.delete(id);
      resolvConfs.delete(id);
      await shut(id);
      return;
    }
    if (site !== undefined && !isSame(site.netns, wanted.sandbox.netns)) await shut(id);
    if (!sites.has(id)) await open(wanted.sandbox);
    if (sites.has(id)) writeResolvConf(wanted);
  };

  const syncAll = async (only: ReadonlySet<string> | undefined): Promise<void> => {
    if (isClosed) return;
    try {
      const ids =
        only ??
        new Set([
          ...ledger.read((view) => view.sandboxes().map(({ id }) => id)),
          ...sites.keys(),
          ...complaints.keys(),
        ]);
      for (const id of ids) {
        if (!isOpen()) return;
        await syncOne(id);
        // Questions come first, however many sandboxes there are.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      log.error({ error }, 'the name service cannot follow the ledger');
    }
  };

  let last: Promise<void> = Promise.resolve();
  return {
    sync: (only) => (last = last.then(() => syncAll(only))),
    serving: () => sites.size,
    close: async () => {
      isClosed = true;
      await last;
      // The redirects stay: whoever asks is told at once that nobody listens, and goes on to the next nameserver.
      await Promise.all([...sites.keys()].map(shut));
    },
  };
}

/** Who shares a network has no name service of its own: it sees that of the sandbox whose network it is. */
function wantedOf(sandbox: Sandbox, endpoints: readonly Endpoint[]): Wanted | undefined {
  if (sandbox.shares !== undefined || sandbox.state === 'removing' || endpoints.length === 0) return undefined;
  // Docker's own name service is in there.
  if (sandbox.origin.kind === 'docker-plugin') return undefined;
  return { sandbox, endpoints };
}

function isSame(a: Netns, b: Netns): boolean {
  return a.path === b.path && a.device === b.device && a.inode === b.inode && a.cookie === b.cookie;
}

/** Whether the namespace is still at its path. Its inode is nobody else's as long as a socket of ours is open in it. */
function isAt({ path, device, inode }: Netns): boolean {
  try {
    const { dev, ino } = statSync(path);
    return dev === device && ino === inode;
  } catch {
    return false;
  }
}
