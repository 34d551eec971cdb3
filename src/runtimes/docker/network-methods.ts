/**
 * Docker's remote network driver protocol (libnetwork, docs/remote.md), server side: its messages to use cases, and answers back.
 * `docker network create -o NAME=VALUE` options come as they were typed: `driver` and `name` are ours to take out, the rest is for
 * the driver, by Docker's names or ours.
 */
import { withoutLength } from '../../model/address.ts';
import type { DockerPluginEngine } from '../../engine/docker-plugin/engine.ts';
import type { DockerNetworkPool } from '../../engine/docker-plugin/networks.ts';
import type { Endpoint } from '../../model/records.ts';
import { ADDRESS_SPACES } from './ipam-methods.ts';
import { flagIn, idIn, messageIn, messagesIn, textIn, textsIn, type Message } from './message.ts';
import type { Methods } from './methods.ts';
import { publishedPorts } from './port-map.ts';

const OPTION = {
  generic: 'com.docker.network.generic',
  internal: 'com.docker.network.internal',
  ipv6: 'com.docker.network.enable_ipv6',
} as const;

/** Drivers whose networks have no gateway of their own: a router on the LAN is one, if it is named. */
const ON_LAN = ['macvlan', 'ipvlan'];

export interface NetworkMethodsParts {
  readonly engine: DockerPluginEngine;
  readonly warn: (text: string) => void;
  /** Told of each network that was made and each container that has joined: what Docker calls it, and where it is, comes later. */
  readonly onMade: () => void;
}

export function networkMethods({ engine, warn, onMade }: NetworkMethodsParts): Methods {
  return {
    'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'local', GwAllocChecker: true }),
    // Asked by Docker 28 and later.
    'NetworkDriver.GwAllocCheck': (message) => {
      const { driver = 'bridge' } = textsIn(messageIn(message, 'Options'), OPTION.generic);
      const skips = ON_LAN.includes(driver);
      return { SkipIPv4: skips, SkipIPv6: skips };
    },
    'NetworkDriver.AllocateNetwork': () => ({ Options: {} }),
    'NetworkDriver.FreeNetwork': () => ({}),

    'NetworkDriver.CreateNetwork': async (message) => {
      const options = messageIn(message, 'Options');
      const { driver = 'bridge', name, ...rest } = textsIn(options, OPTION.generic);
      const warnings = await engine.createNetwork({
        id: idIn(message, 'NetworkID'),
        ...(name === undefined ? {} : { name }),
        driver,
        pools: [...poolsIn(message, 'IPv4Data'), ...poolsIn(message, 'IPv6Data')],
        internal: flagIn(options, OPTION.internal),
        enableIPv6: flagIn(options, OPTION.ipv6),
        options: rest,
      });
      for (const warning of warnings) warn(warning);
      onMade();
      return {};
    },
    'NetworkDriver.DeleteNetwork': async (message) => {
      const stays = await engine.removeNetwork(idIn(message, 'NetworkID'));
      if (stays !== undefined) warn(`Docker has removed a network that stays in the cluster: ${stays}`);
      return {};
    },

    'NetworkDriver.CreateEndpoint': async (message) => {
      const given = messageIn(message, 'Interface');
      const mac = textIn(given, 'MacAddress');
      const endpoint = await engine.reserveEndpoint({
        networkId: idIn(message, 'NetworkID'),
        endpointId: idIn(message, 'EndpointID'),
        addresses: [textIn(given, 'Address'), textIn(given, 'AddressIPv6')].filter((address) => address !== ''),
        ...(mac === '' ? {} : { mac }),
      });
      // What Docker has given may not be given back.
      return { Interface: mac === '' && endpoint.mac !== '' ? { MacAddress: endpoint.mac } : {} };
    },
    'NetworkDriver.EndpointOperInfo': async (message) => {
      const endpoint = await engine.endpoint(idIn(message, 'EndpointID'));
      return { Value: endpoint === undefined ? {} : operInfo(endpoint) };
    },
    'NetworkDriver.DeleteEndpoint': async (message) => {
      await engine.removeEndpoint(idIn(message, 'EndpointID'));
      return {};
    },

    'NetworkDriver.Join': async (message) => {
      const { endpoint, link, interfacePrefix } = await engine.join({
        networkId: idIn(message, 'NetworkID'),
        endpointId: idIn(message, 'EndpointID'),
        sandboxKey: textIn(message, 'SandboxKey'),
      });
      onMade();
      return { InterfaceName: { SrcName: link, DstPrefix: interfacePrefix }, ...wayOut(endpoint) };
    },
    // Docker takes the link out of the container after this, and looks for it: it goes with the endpoint.
    'NetworkDriver.Leave': async (message) => {
      await engine.withdraw(idIn(message, 'EndpointID'));
      return {};
    },

    'NetworkDriver.ProgramExternalConnectivity': async (message) => {
      const ports = publishedPorts(messageIn(message, 'Options'));
      const [networkId, endpointId] = [idIn(message, 'NetworkID'), idIn(message, 'EndpointID')];
      const refusal = await engine.publish({ networkId, endpointId, ports });
      if (refusal !== undefined) warn(`ports ${ports.join(', ')} are not published: ${refusal}`);
      return {};
    },
    'NetworkDriver.RevokeExternalConnectivity': async (message) => {
      await engine.withdraw(idIn(message, 'EndpointID'));
      return {};
    },

    // Of other hosts: no driver of ours asks Docker for them.
    'NetworkDriver.DiscoverNew': () => ({}),
    'NetworkDriver.DiscoverDelete': () => ({}),
  };
}

function poolsIn(message: Message, key: string): DockerNetworkPool[] {
  return messagesIn(message, key).map((given) => {
    const gateway = textIn(given, 'Gateway');
    const aux = Object.entries(textsIn(given, 'AuxAddresses'));
    return {
      subnet: textIn(given, 'Pool'),
      ...(gateway === '' ? {} : { gateway: withoutLength(gateway) }),
      aux: Object.fromEntries(aux.map(([name, address]) => [name, withoutLength(address)])),
      isOurs: ADDRESS_SPACES.includes(textIn(given, 'AddressSpace')),
    };
  });
}

/** Without a next hop of ours Docker would give the container another network for its way out, unless it is told not to. */
function wayOut({ addresses }: Endpoint): Message {
  const next = (colon: boolean): string =>
    addresses.find(({ address }) => address.includes(':') === colon)?.gateway ?? '';
  const onLink = addresses
    .filter((address) => address.onLink === true)
    .map(({ address }) => ({ Destination: address.includes(':') ? '::/0' : '0.0.0.0/0', RouteType: 1 }));
  const [gateway, gateway6] = [next(false), next(true)];
  return {
    Gateway: gateway,
    GatewayIPv6: gateway6,
    StaticRoutes: onLink,
    DisableGatewayService: gateway === '' && onLink.length === 0,
  };
}

function operInfo({ mac, ports }: Endpoint): Message {
  return {
    ...(mac === '' ? {} : { 'com.docker.network.endpoint.macaddress': mac }),
    'tsnet.ports': ports.map(({ protocol, hostAddress, hostPort, containerPort, count }) => ({
      protocol,
      hostAddress,
      hostPort,
      containerPort,
      count,
    })),
  };
}
