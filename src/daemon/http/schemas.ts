/** What each request of the engine may hold, as JSON Schema: what a route refuses, and what openapi.json says. */
import Type from 'typebox';
import type { EngineMethod } from '../../api/routes.ts';
import type { AttachOptions, Engine } from '../../engine/engine.ts';

const text = (description: string) => Type.String({ description });
const flag = (description: string) => Type.Boolean({ description });
const texts = (description: string) => Type.Array(Type.String(), { description });
const pairs = (description: string) => Type.Record(Type.String(), Type.String(), { description });
const optional = Type.Optional;

/** Nothing but what is named: a typing error must not pass for a default. */
const exactly = <P extends Type.TProperties>(properties: P, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) });

const network = text('Name, id or unique prefix of the id of a network');
const container = text('Name or id of a sandbox, a path, netns:NAME, pid:N, docker:NAME, podman:NAME, containerd:ID');
const dryRun = optional(flag('Write nothing; the plan is the answer'));

const limit = (description: string) =>
  exactly(
    {
      bitsPerSecond: Type.Integer({ minimum: 8, description: 'Rate in the long run' }),
      burstBits: Type.Integer({ minimum: 1, description: 'What may go at once' }),
    },
    description,
  );

const attach = {
  ip: optional(text('IPv4 address')),
  ip6: optional(text('IPv6 address')),
  mac: optional(text('MAC address')),
  interfaceName: optional(text('Name of the interface in the container')),
  aliases: optional(texts('Further names on the network')),
  ports: optional(texts('[IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]')),
  gatewayPriority: optional(Type.Integer({ description: 'The highest gives the default route' })),
  noDefaultRoute: optional(flag('What leaves the subnets of the network does not go by it')),
  routes: optional(
    Type.Array(
      exactly({
        destination: text('Subnet'),
        gateway: text('Next hop'),
        metric: optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff, description: 'The lowest wins' })),
      }),
      { description: 'Routes in the container' },
    ),
  ),
  driverOptions: optional(pairs('Options of the driver')),
  runtimeHoldsPorts: optional(flag('The runtime of the container binds the host ports itself')),
  bandwidth: optional(
    exactly({
      ingress: optional(limit('Towards the container')),
      egress: optional(limit('From the container')),
    }),
  ),
};

const runtime = {
  runtime: Type.Union([Type.Literal('cni'), Type.Literal('oci'), Type.Literal('podman')], {
    description: 'Whose container it is',
  }),
  id: text("The runtime's own id of it"),
};

const publish = exactly({ network, container, ports: texts('As typed: 8080:80, 127.0.0.1:53:53/udp'), dryRun });

export const SCHEMAS = {
  createNetwork: exactly({
    name: text('Name of the network'),
    driver: optional(text('bridge unless given')),
    ipam: optional(
      Type.Array(
        exactly({
          subnet: optional(text('172.28.0.0/16')),
          gateway: optional(text('172.28.0.1')),
          range: optional(text('172.28.5.0/24')),
          aux: optional(pairs('Addresses that other devices have, by name')),
        }),
        { description: 'Subnets; one is chosen where there is none' },
      ),
    ),
    ipamDriver: optional(text('default unless given')),
    ipamOptions: optional(pairs('Options of the IPAM driver')),
    internal: optional(flag('No way out or in')),
    attachable: optional(flag('Kept for Docker')),
    enableIPv4: optional(flag('true unless given')),
    enableIPv6: optional(flag('false unless given')),
    options: optional(pairs('Options of the driver')),
    labels: optional(pairs('Labels')),
    dryRun,
  }),
  listNetworks: exactly({ filters: optional(text('JSON: {"driver":["bridge"]}')) }),
  findNetwork: exactly({ network }),
  inspectNetwork: exactly({ network }),
  removeNetwork: exactly({ network, dryRun }),
  pruneNetworks: exactly({
    filters: optional(Type.Record(Type.String(), Type.Array(Type.String()), { description: 'until, label, label!' })),
    dryRun,
  }),
  listLeases: exactly({ network }),

  connect: exactly({ network, container, ...attach, dryRun }),
  disconnect: exactly({
    network,
    container,
    force: optional(flag('Forget the endpoint even where the kernel refuses')),
    dryRun,
  }),
  updateNetwork: exactly({
    network,
    labels: optional(pairs('Labels to set')),
    removeLabels: optional(texts('Labels to remove')),
    mtu: optional(Type.Integer({ description: 'Bytes; of the network and of every container on it' })),
    dryRun,
  }),
  updateEndpoint: exactly({
    network,
    container,
    aliases: optional(texts('Aliases to add')),
    removeAliases: optional(texts('Aliases to remove')),
    dryRun,
  }),
  publish,
  unpublish: publish,

  attachContainer: exactly({
    container: exactly({
      ...runtime,
      netns: text('Path of its network namespace'),
      name: optional(text('Name of the sandbox, as far as it is free')),
      pid: optional(Type.Integer({ minimum: 1, description: 'Its first process' })),
    }),
    attach: Type.Array(exactly({ network, ...attach }), { minItems: 1, description: 'Networks, in order' }),
  }),
  detachContainer: exactly({
    container: exactly(runtime),
    network: optional(text('Of this network alone')),
    interfaceName: optional(text('With this interface alone')),
  }),
  findContainer: exactly(runtime),
  checkContainer: exactly({
    container: exactly(runtime),
    network: optional(network),
    link: optional(exactly({ mac: optional(text('MAC')), mtu: optional(Type.Integer({ description: 'Bytes' })) })),
  }),

  createSandbox: exactly({
    name: optional(text('Name of the sandbox')),
    command: texts('Program and arguments, for the record'),
    attach: Type.Array(exactly({ network, ...attach }), { description: 'Networks, in order' }),
    resolver: optional(
      exactly({
        dns: texts('Nameservers'),
        dnsSearch: texts('Search domains; "." alone: none'),
        dnsOpts: texts('Options of resolv.conf'),
      }),
    ),
    creator: optional(Type.Integer({ minimum: 1, description: 'Process that starts the program and adopts it' })),
  }),
  adoptProcess: exactly({ container, pid: Type.Integer({ minimum: 1, description: 'Process id on this host' }) }),
  removeSandbox: exactly({ container }),
  listSandboxes: exactly({}),
  inspectSandbox: exactly({ container }),
  listPorts: exactly({ container: optional(container) }),

  listClusterHosts: exactly({}),
  removeClusterHost: exactly({
    host: text('Name, id or unique beginning of the id of a host of the cluster'),
    force: optional(flag('One that has been silent for a moment only too, or is missing with many others')),
    dryRun,
  }),

  diff: exactly({}),
  repair: exactly({ dryRun }),
  gc: exactly({ dryRun }),
  info: exactly({}),
} satisfies Record<EngineMethod, Type.TObject>;

type Request<M extends EngineMethod> = Parameters<Engine[M]>[0];

/** Members of a request that its schema does not name; those of a request with any members do not count. */
type Forgotten<M extends EngineMethod> =
  Request<M> extends object | undefined
    ? string extends keyof NonNullable<Request<M>>
      ? never
      : Exclude<keyof NonNullable<Request<M>>, keyof Type.Static<(typeof SCHEMAS)[M]>>
    : never;

type Nothing<T extends never> = T;

// These do not compile when a use case was given a member that the socket would refuse.
type _RequestsAreWhole = Nothing<{ [M in EngineMethod]: Forgotten<M> }[EngineMethod]>;
type _AttachIsWhole = Nothing<Exclude<keyof AttachOptions, keyof typeof attach>>;
