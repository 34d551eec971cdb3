/** All groups, in the order in which they are measured and shown. */
import { attach } from './control-plane/attach.ts';
import { burst } from './control-plane/burst.ts';
import { claims } from './control-plane/claims.ts';
import { commandLine, startUp } from './control-plane/command-line.ts';
import { crowd } from './control-plane/crowd.ts';
import { daemon } from './control-plane/daemon.ts';
import { leases } from './control-plane/leases.ts';
import { macvlan } from './control-plane/macvlan.ts';
import { networks } from './control-plane/networks.ts';
import { remotePeers } from './control-plane/peers.ts';
import { publish } from './control-plane/publish.ts';
import { reach } from './control-plane/reach.ts';
import { repair } from './control-plane/repair.ts';
import { connections } from './data-plane/connections.ts';
import { overlay } from './data-plane/overlay.ts';
import { paths } from './data-plane/paths.ts';
import { dns } from './dns/names.ts';
import type { Group } from './group.ts';
import { cni } from './peers/cni.ts';
import { dockerd } from './peers/dockerd.ts';
import { dockerdOverlay } from './peers/dockerd-overlay.ts';
import { netavark, tsnetNetavark } from './peers/netavark.ts';
import { tsnetCni } from './peers/tsnet-cni.ts';
import { BACKENDS, type Backend } from './tsnet-host.ts';

const perBackend = (...make: readonly ((backend: Backend) => Group)[]): Group[] =>
  make.flatMap((one) => BACKENDS.map(one));

export const GROUPS: readonly Group[] = [
  startUp,
  leases,
  ...perBackend(attach, daemon, commandLine, networks, publish, burst, repair),
  macvlan,
  remotePeers,
  claims,
  reach,
  crowd,
  dns,
  ...perBackend(cni, tsnetCni, netavark, tsnetNetavark, dockerd),
  dockerdOverlay,
  ...perBackend(connections, paths, overlay),
];
