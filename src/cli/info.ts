/** `tsnet info`: what is there, where it is kept, and what a person should know. */
import type { Info } from '../engine/host-info.ts';
import { jsonFormat } from './options.ts';
import { alignTabs } from './table.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command.addOption(jsonFormat()).action(async ({ format }: { readonly format?: string }) => {
    const engine = await context.engine();
    const info = await engine.info();
    context.write(format === 'json' ? `${JSON.stringify(info)}\n` : infoText(info));
  });
};

function infoText(info: Info): string {
  const pools = info.addressPools.map(({ base, size }) => `${base} cut to /${size}`);
  const drivers = info.drivers.map((driver) => driverText(driver, info.linkKinds));
  const sysctls = info.changedSysctls.map(({ key, before, now }) => `${key} ${before} → ${now}`);
  const rows: readonly (readonly [heading: string, values: readonly (string | number)[]])[] = [
    ['Version', [info.version]],
    ...daemonRows(info.daemon),
    ...clusterRows(info.daemon?.cluster),
    ['Networks', [info.networks]],
    ['Sandboxes', [info.sandboxes]],
    ['Endpoints', [info.endpoints]],
    ['Leases', [info.leases]],
    ['Published ports', [info.publishedPorts]],
    ['Unfinished changes', [info.pending]],
    ['Data root', [info.dataRoot]],
    ['Exec root', [info.execRoot]],
    ['Firewall backend', [info.firewallBackend]],
    ['Drivers', drivers],
    ['Address pools', pools],
    ['Changed sysctls', sysctls.length > 0 ? sysctls : ['none']],
    ['Warnings', info.warnings.length > 0 ? info.warnings : ['none']],
  ];
  return alignTabs(
    rows
      .flatMap(([heading, values]) => values.map((value, index) => `${index === 0 ? `${heading}:` : ''}\t${value}\n`))
      .join(''),
  );
}

function daemonRows(daemon: Info['daemon']): (readonly [heading: string, values: readonly (string | number)[]])[] {
  if (daemon === undefined) return [['Daemon', ['none']]];
  const { pid, startedAt, repaired, heldPorts, namesServed, flapping, takenPorts } = daemon;
  const taken = takenPorts.map(
    ({ protocol, address, port, holder, reason }) =>
      `${address}:${port}/${protocol} is ${holder ?? 'somebody'}'s: ${reason}`,
  );
  const broken = flapping.map(
    ({ owner, what, times, reason }) =>
      `${owner}: ${what}, ${times} times${reason === undefined ? ', somebody keeps undoing it' : `: ${reason}`}`,
  );
  return [
    ['Daemon', [`pid ${pid}, since ${startedAt}`]],
    ['Repaired by itself', [repaired]],
    ['Names served in', [`${namesServed} sandboxes`]],
    ['Held host ports', [heldPorts]],
    ...(taken.length > 0 ? [['Taken host ports', taken] as const] : []),
    ...(broken.length > 0 ? [['Cannot keep whole', broken] as const] : []),
  ];
}

function clusterRows(
  cluster: NonNullable<Info['daemon']>['cluster'],
): (readonly [heading: string, values: readonly (string | number)[]])[] {
  if (cluster === undefined) return [];
  const { hostId, name, address, port, store, session, sessionReason, hosts, networks, problems, held } = cluster;
  const remaining = ((cluster.sessionRemainingMs ?? 0) / 1000).toFixed(1);
  const lag = (milliseconds: number): string => (milliseconds === 0 ? '' : `, ${milliseconds} ms behind`);
  const where = store.endpoint === undefined ? store.kind : `${store.kind} at ${store.endpoint}`;
  return [
    ['Cluster', [`${name} (${hostId}) at ${address}, UDP port ${port}`]],
    ['Cluster store', [store.reachable ? where : `${where} does not answer: ${store.reason ?? 'no reason told'}`]],
    [
      'Cluster session',
      [
        session === 'held'
          ? `held, ${remaining} s left${lag(cluster.lagMs)}`
          : `lost: ${sessionReason ?? 'no reason told'}`,
      ],
    ],
    [
      'Cluster hosts',
      hosts.length === 0
        ? ['no others']
        : hosts.map((host) => `${host.name} (${host.id}) at ${host.address}: ${host.state}`),
    ],
    ...(held > 0 ? [['Cluster warning', [`${held} hosts vanished at once: none is taken for dead`]] as const] : []),
    ...(networks.length > 0
      ? [
          [
            'Cluster networks',
            networks.map(
              ({ name: network, endpoints, blocks, entries, lagMs }) =>
                `${network}: ${endpoints} addresses${blocks === undefined ? '' : ` here, ${blocks} blocks`}, ${entries} entries for other hosts${lag(lagMs)}`,
            ),
          ] as const,
        ]
      : []),
    ...(problems.length > 0
      ? [['Cluster problems', problems.map((problem) => `${problem.name}: ${problem.reason}`)] as const]
      : []),
  ];
}

/** "macvlan (local, built in; this kernel: macvlan yes, vlan no)" */
function driverText(
  { name, scope, source, linkKinds, problem }: Info['drivers'][number],
  supported: Info['linkKinds'],
): string {
  if (problem !== undefined) return `${name} cannot be used: ${problem}`;
  const kinds = (linkKinds ?? []).map((kind) => `${kind} ${supported[kind] === true ? 'yes' : 'no'}`);
  const kernel = kinds.length === 0 ? '' : `; this kernel: ${kinds.join(', ')}`;
  return `${name} (${scope ?? 'scope unknown'}, ${source}${kernel})`;
}
