/** Says in one line what a resource is: what `--dry-run` prints and `diff` names. The words are iproute2's. */
import type { Place, PublishIntent, Resource } from './resource.ts';

export function describeResource(resource: Resource): string {
  switch (resource.kind) {
    case 'bridge':
      return `bridge ${resource.name}${resource.adopted ? ' (not ours)' : ''}`;
    case 'veth':
      if (resource.handOver !== undefined)
        return `veth ${resource.host} ↔ the runtime's${resource.master === undefined ? '' : ` master ${resource.master}`}`;
      return `veth ${resource.host} ↔ ${resource.peer}${at({ sandbox: resource.sandbox })}${resource.master === undefined ? '' : ` master ${resource.master}`}`;
    case 'macvlan':
    case 'ipvlan':
      return `${resource.kind} ${resource.name}${at(resource.place)} on ${resource.parent} mode ${resource.mode}`;
    case 'vlan':
      return `vlan ${resource.name} id ${resource.id} on ${resource.parent}`;
    case 'dummy':
    case 'ifb':
      return `${resource.kind} ${resource.name}`;
    case 'vxlan':
      return `vxlan ${resource.name} id ${resource.vni} local ${resource.local} dstport ${resource.port}${resource.master === undefined ? '' : ` master ${resource.master}`}`;
    case 'fdb':
      return `fdb ${resource.mac} dst ${resource.vtep} on ${resource.link}`;
    case 'token-bucket':
      return `limit of ${resource.bytesPerSecond * 8} bit/s on ${resource.link}`;
    case 'redirect':
      return `redirect of what arrives on ${resource.link} to ${resource.to}`;
    case 'neighbour':
      return `neighbour ${resource.address} at ${resource.mac} on ${resource.link}${at(resource.place)}`;
    case 'plugin-network':
      return `network ${resource.networkId.slice(0, 12)} in plugin ${resource.plugin}`;
    case 'plugin-endpoint':
      return `link ${resource.link} of plugin ${resource.plugin}${at({ sandbox: resource.sandbox })}`;
    case 'link-up':
      return `link ${resource.link} up${at(resource.place)}`;
    case 'address':
      return `address ${resource.address} on ${resource.link}${at(resource.place)}`;
    case 'route':
      return `route ${resource.destination}${resource.via === undefined ? '' : ` via ${resource.via}`} dev ${resource.link}${resource.table === undefined ? '' : ` table ${resource.table}`}${resource.source === undefined ? '' : ` src ${resource.source}`}${at(resource.place)}`;
    case 'rule':
      return `rule from ${resource.from} lookup ${resource.table} priority ${resource.priority}${at(resource.place)}`;
    case 'sysctl':
      return `sysctl ${sysctlName(resource.key)} = ${resource.value}${at(resource.place)}`;
    case 'isolate':
      return `isolate ${resource.subnet} on ${resource.bridge}`;
    case 'internal':
      return `internal ${resource.subnet} on ${resource.bridge}`;
    case 'icc':
      return `icc ${resource.allow ? 'accept' : 'drop'} IPv${resource.family} on ${resource.bridge}`;
    case 'masquerade':
      return `${resource.to === undefined ? 'masquerade' : 'snat'} ${resource.subnet} not to ${resource.bridge}${resource.to === undefined ? '' : ` as ${resource.to}`}`;
    case 'hairpin':
      return `hairpin ${resource.subnet} on ${resource.bridge}`;
    case 'branch':
      return `branch ${resource.link} of ${resource.subnet} on ${resource.bridge}`;
    case 'publish':
      return describePublish(resource);
    case 'vtep-guard':
      return `guard udp ${bracketed(resource.local)}:${resource.port} (VXLAN)`;
    case 'vtep':
      return `vtep ${resource.address} may speak to udp port ${resource.port} (VXLAN)`;
  }
}

/** "publish tcp 0.0.0.0:8080 → 172.17.0.2:80", ranges as "8000-8009", routed ports without a host side. */
function describePublish({ protocol, hostAddress, hostPort, to, containerPort, count, mode }: PublishIntent): string {
  const target = `${bracketed(to)}:${portRange(containerPort, count)}`;
  if (mode === 'routed') return `publish ${protocol} ${target} (routed)`;
  return `publish ${protocol} ${bracketed(hostAddress)}:${portRange(hostPort, count)} → ${target}`;
}

/** "80", or "8000-8009". */
export function portRange(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`;
}

/** An address as it stands before a port: IPv6 in brackets (RFC 3986). */
export function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** As sysctl(8) writes it: dots between the parts, a slash for a dot inside of one (VLAN links). */
function sysctlName(path: string): string {
  return path.replace(/[./]/g, (mark) => (mark === '/' ? '.' : '/'));
}

function at(place: Place): string {
  return place === 'host' ? '' : ' in sandbox';
}
