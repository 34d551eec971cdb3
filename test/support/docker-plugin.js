/**
 * A Docker plugin of the tests, network driver and IPAM driver at once: real bridges and veth pairs in the namespace it runs in.
 *
 *     node docker-plugin.js SOCKET FOLDER
 *
 * FOLDER/calls.log gets a line a call: "Join {…}"; FOLDER/leave.log tells whether the link was back on the host at a Leave. FOLDER/behave.json, read at every call, says what goes wrong:
 * `{ "fail": { "Join": "no" }, "hang": ["Leave"], "die": ["Join"], "dieAfter": ["Join"], "answer": { "Join": { … } },
 * "scope": "global" }`.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';

const [socket, folder] = process.argv.slice(2);
const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });

const networks = new Map();
const endpoints = new Map();
const pools = new Map();

const known = (map, id, what) => {
  const found = map.get(id);
  if (found === undefined) throw new Error(`${what} ${id} is not known here`);
  return found;
};
const short = (id) => id.slice(0, 8);

const methods = {
  'Plugin.Activate': () => ({ Implements: ['NetworkDriver', 'IpamDriver'] }),

  'NetworkDriver.GetCapabilities': () => ({ Scope: behaviour().scope ?? 'local', ConnectivityScope: 'local' }),
  'NetworkDriver.AllocateNetwork': () => ({ Options: { vni: '4097' } }),
  'NetworkDriver.FreeNetwork': () => ({}),
  'NetworkDriver.CreateNetwork': ({ NetworkID, IPv4Data, IPv6Data }) => {
    if (networks.has(NetworkID)) throw new Error(`network ${NetworkID} exists`);
    const bridge = `pb${short(NetworkID)}`;
    ip('link', 'add', bridge, 'type', 'bridge');
    const gateways = [...(IPv4Data ?? []), ...(IPv6Data ?? [])].flatMap(({ Gateway }) => Gateway ?? []);
    for (const gateway of gateways)
      ip('address', 'add', gateway, 'dev', bridge, ...(gateway.includes(':') ? ['nodad'] : []));
    ip('link', 'set', bridge, 'up');
    networks.set(NetworkID, { bridge, gateways: gateways.map((gateway) => gateway.split('/')[0]) });
    return {};
  },
  'NetworkDriver.DeleteNetwork': ({ NetworkID }) => {
    const { bridge } = known(networks, NetworkID, 'network');
    ip('link', 'delete', bridge);
    networks.delete(NetworkID);
    return {};
  },
  'NetworkDriver.CreateEndpoint': ({ NetworkID, EndpointID, Interface }) => {
    known(networks, NetworkID, 'network');
    if (endpoints.has(EndpointID)) throw new Error(`endpoint ${EndpointID} exists`);
    endpoints.set(EndpointID, { given: Interface });
    return {};
  },
  'NetworkDriver.Join': ({ NetworkID, EndpointID }) => {
    const { bridge, gateways } = known(networks, NetworkID, 'network');
    known(endpoints, EndpointID, 'endpoint');
    const [ours, theirs] = [`ph${short(EndpointID)}`, `pc${short(EndpointID)}`];
    ip('link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs);
    ip('link', 'set', ours, 'master', bridge, 'up');
    return {
      InterfaceName: { SrcName: theirs, DstPrefix: 'eth' },
      Gateway: gateways.find((gateway) => !gateway.includes(':')) ?? '',
      GatewayIPv6: gateways.find((gateway) => gateway.includes(':')) ?? '',
      StaticRoutes: [],
    };
  },
  'NetworkDriver.Leave': ({ EndpointID }) => {
    known(endpoints, EndpointID, 'endpoint');
    const link = `pc${short(EndpointID)}`;
    const back = ip('-o', 'link').includes(`${link}@`);
    appendFileSync(path.join(folder, 'leave.log'), `${link} ${back ? 'is back' : 'is not back'}\n`);
    return {};
  },
  'NetworkDriver.DeleteEndpoint': ({ EndpointID }) => {
    known(endpoints, EndpointID, 'endpoint');
    const link = `ph${short(EndpointID)}`;
    if (ip('-o', 'link').includes(`${link}@`)) ip('link', 'delete', link);
    endpoints.delete(EndpointID);
    return {};
  },

  'IpamDriver.GetCapabilities': () => ({ RequiresMACAddress: true }),
  'IpamDriver.GetDefaultAddressSpaces': () => ({
    LocalDefaultAddressSpace: 'TestLocal',
    GlobalDefaultAddressSpace: 'TestGlobal',
  }),
  'IpamDriver.RequestPool': ({ AddressSpace, Pool, V6 }) => {
    const pool = Pool || (V6 ? 'fd77::/64' : '10.77.0.0/24');
    const id = `${AddressSpace}/${pool}`;
    pools.set(id, { pool, held: new Set() });
    return { PoolID: id, Pool: pool, Data: {} };
  },
  'IpamDriver.ReleasePool': ({ PoolID }) => {
    known(pools, PoolID, 'pool');
    pools.delete(PoolID);
    return {};
  },
  'IpamDriver.RequestAddress': ({ PoolID, Address, Options }) => {
    const { pool, held } = known(pools, PoolID, 'pool');
    const [base, length] = pool.split('/');
    const prefix = base.includes(':') ? base : `${base.split('.').slice(0, 3).join('.')}.`;
    let address = Address;
    // Gateways from the bottom, containers from 100.
    let number = Options?.RequestAddressType === 'com.docker.network.gateway' ? 1 : 100;
    while (!address || (Address === '' && held.has(address))) address = `${prefix}${number++}`;
    if (held.has(address)) throw new Error(`address ${address} is taken`);
    held.add(address);
    return { Address: `${address}/${length}`, Data: {} };
  },
  'IpamDriver.ReleaseAddress': ({ PoolID, Address }) => {
    known(pools, PoolID, 'pool').held.delete(Address);
    return {};
  },
};

function behaviour() {
  try {
    return JSON.parse(readFileSync(path.join(folder, 'behave.json'), 'utf8'));
  } catch {
    return {};
  }
}

createServer(async (request, response) => {
  let text = '';
  for await (const chunk of request) text += chunk;
  const method = request.url.slice(1);
  const name = method.replace(/^.*\./, '');
  appendFileSync(path.join(folder, 'calls.log'), `${method} ${text}\n`);
  const { fail = {}, hang = [], die = [], dieAfter = [], answer = {} } = behaviour();
  const send = (status, body) => {
    response.writeHead(status, { 'Content-Type': request.headers.accept });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
  if (methods[method] === undefined) return send(404, 'page not found');
  if (hang.includes(name)) return undefined;
  if (die.includes(name)) process.exit(1);
  if (name in fail) return send(200, { Err: fail[name], Error: fail[name] });
  let body;
  try {
    body = { ...methods[method](text === '' ? {} : JSON.parse(text)), ...answer[name] };
  } catch (error) {
    return send(500, { Err: error.message, Error: error.message });
  }
  if (dieAfter.includes(name)) response.on('close', () => process.exit(1));
  return send(200, body);
}).listen(socket, () => process.stdout.write('listening\n'));
