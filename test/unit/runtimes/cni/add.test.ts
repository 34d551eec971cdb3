/** What ADD asks of the engine, and what it prints in each version. */
import { describe, expect, test } from 'vitest';
import { TsnetError } from '../../../../src/model/error.ts';
import type { AttachContainerRequest, CreateNetworkRequest } from '../../../../src/engine/engine.ts';
import { asked, call, engineWith, WEB, type CallRequest } from './plugin-stage.ts';

const JOIN = { cniVersion: '1.1.0', name: 'pods', type: 'tsnet', network: 'web' };
const MAKE = { cniVersion: '1.1.0', name: 'pods', type: 'tsnet' };

async function attached(request: Partial<CallRequest> = {}): Promise<AttachContainerRequest['attach'][number]> {
  const { engine, printed, status } = await call('ADD', { config: JOIN, ...request });
  expect(status, JSON.stringify(printed)).toBe(0);
  const [one] = (asked(engine, 'attachContainer') as AttachContainerRequest).attach;
  if (one === undefined) throw new Error('nothing was attached');
  return one;
}

async function made(config: object): Promise<CreateNetworkRequest> {
  const { engine, printed, status } = await call('ADD', { config: { ...MAKE, ...config } });
  expect(status, JSON.stringify(printed)).toBe(0);
  return asked(engine, 'createNetwork') as CreateNetworkRequest;
}

async function refusal(config: object): Promise<unknown> {
  const { printed, status } = await call('ADD', { config: { ...MAKE, ...config } });
  expect(status).toBe(1);
  return printed;
}

describe('the container', () => {
  test('is known by the id of its runtime, and named after its pod', async () => {
    const env = { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;X=y' };
    const { engine } = await call('ADD', { config: JOIN, env });
    expect(asked(engine, 'attachContainer') as AttachContainerRequest).toEqual({
      container: { runtime: 'cni', id: 'c1', netns: '/run/netns/c1', name: 'web-0.shop' },
      attach: [{ network: WEB.id, interfaceName: 'eth0', aliases: ['web-0'] }],
    });
  });

  test('of Podman, which gives a name alone, has its ports bound by Podman', async () => {
    expect((await attached({ env: { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=box' } })).runtimeHoldsPorts).toBe(true);
    const pod = { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=box;K8S_POD_NAMESPACE=shop' };
    expect((await attached({ env: pod })).runtimeHoldsPorts).toBeUndefined();
    const told = { ...JOIN, runtimeHoldsPorts: true };
    expect((await attached({ config: told, env: pod })).runtimeHoldsPorts).toBe(true);
  });

  test('takes no arguments that nobody knows unless it is told to', async () => {
    expect((await call('ADD', { config: JOIN, env: { CNI_ARGS: 'A=b' } })).printed).toMatchObject({ code: 4 });
    expect((await call('ADD', { config: JOIN, env: { CNI_ARGS: 'A=b;IgnoreUnknown=0' } })).status).toBe(1);
    expect((await call('ADD', { config: JOIN, env: { CNI_ARGS: 'IgnoreUnknown=true;A=b' } })).status).toBe(0);
  });
});

describe('what the runtime decides', () => {
  test('is found in any case of its keys', async () => {
    const runtimeConfig = {
      portMappings: [
        { HostPort: 8080, ContainerPort: 80, Protocol: 'TCP', HostIP: '' },
        { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '10.0.0.7' },
        { HOSTPORT: 90, CONTAINERPORT: 91 },
      ],
      Bandwidth: { IngressRate: 8000, IngressBurst: 80000, egressRate: 16, egressBurst: 4294967295 },
      Mac: '02:00:00:00:00:09',
      Aliases: ['db', 'db.internal'],
    };
    expect(await attached({ config: { ...JOIN, RuntimeConfig: runtimeConfig } })).toMatchObject({
      ports: ['8080:80/tcp', '10.0.0.7:53:5353/udp', '90:91/tcp'],
      bandwidth: {
        ingress: { bitsPerSecond: 8000, burstBits: 80000 },
        egress: { bitsPerSecond: 16, burstBits: 4294967295 },
      },
      mac: '02:00:00:00:00:09',
      aliases: ['db', 'db.internal'],
    });
  });

  test('publishes nothing without a host port, or at an address of a family that the network has not', async () => {
    const portMappings = [
      { hostPort: 0, containerPort: 80 },
      { hostPort: 81, containerPort: 81, hostIP: '2001:db8::1' },
      { hostPort: 82, containerPort: 82, hostIP: '::' },
      { hostPort: 82, containerPort: 82, hostIP: '0.0.0.0' },
    ];
    expect((await attached({ config: { ...JOIN, runtimeConfig: { portMappings } } })).ports).toEqual(['82:82/tcp']);
  });

  test('wins over metadata, and metadata over arguments', async () => {
    const sources = {
      runtimeConfig: { ips: ['10.1.0.7/16'], mac: '02:00:00:00:00:01' },
      args: { cni: { ips: ['10.1.0.8'], mac: '02:00:00:00:00:02' } },
    };
    const env = { CNI_ARGS: 'IP=10.1.0.9;MAC=02:00:00:00:00:03' };
    const both = { ...JOIN, ...sources };
    expect(await attached({ config: both, env })).toMatchObject({ ip: '10.1.0.7', mac: '02:00:00:00:00:01' });
    const metadata = { ...JOIN, args: sources.args };
    expect(await attached({ config: metadata, env })).toMatchObject({ ip: '10.1.0.8', mac: '02:00:00:00:00:02' });
    expect(await attached({ env })).toMatchObject({ ip: '10.1.0.9', mac: '02:00:00:00:00:03' });
  });

  test('limits of the configuration win over those of the runtime, and are given whole or not at all', async () => {
    const bandwidth = { ingressRate: 80, ingressBurst: 800 };
    const runtimeConfig = { bandwidth: { egressRate: 80, egressBurst: 800 } };
    expect((await attached({ config: { ...JOIN, bandwidth, runtimeConfig } })).bandwidth).toEqual({
      ingress: { bitsPerSecond: 80, burstBits: 800 },
    });
    expect(await refusal({ bandwidth: { ingressRate: 80 } })).toMatchObject({ code: 7 });
    expect(await refusal({ bandwidth: { egressRate: 80, egressBurst: 2 ** 36 } })).toMatchObject({ code: 7 });
  });

  test('one address of each family, no more', async () => {
    const runtimeConfig = { ips: ['10.1.0.7', '10.1.0.8'] };
    expect((await call('ADD', { config: { ...JOIN, runtimeConfig } })).printed).toMatchObject({ code: 7 });
    const twice = { ips: ['10.1.0.7', '10.1.0.7/16'] };
    expect(await attached({ config: { ...JOIN, runtimeConfig: twice } })).toMatchObject({ ip: '10.1.0.7' });
  });
});

describe('a network of its own', () => {
  test('is named after the CNI network, and described in the words of the bridge plugin', async () => {
    const config = {
      bridge: 'cni0',
      isGateway: true,
      ipMasq: false,
      mtu: 1400,
      hairpinMode: true,
      portIsolation: true,
      ipam: { ranges: [[{ subnet: '10.22.0.0/16', gateway: '10.22.255.254' }], [{ subnet: 'fd00:22::/64' }]] },
    };
    expect(await made(config)).toEqual({
      name: 'pods',
      driver: 'bridge',
      enableIPv4: true,
      enableIPv6: true,
      ipam: [
        { subnet: '10.22.0.0/16', gateway: '10.22.255.254' },
        { subnet: 'fd00:22::/64', gateway: 'fd00:22::1' },
      ],
      options: { 'bridge.name': 'cni0', mtu: '1400', 'bridge.masquerade': 'false', 'bridge.icc': 'false' },
      labels: { 'tsnet.cni.network': 'pods' },
    });
  });

  test('has a subnet chosen for it where none is given', async () => {
    expect(await made({})).toEqual({
      name: 'pods',
      driver: 'bridge',
      options: {},
      labels: { 'tsnet.cni.network': 'pods' },
    });
  });

  test.each([
    [
      { rangeStart: '10.22.1.0', rangeEnd: '10.22.1.255' },
      { range: '10.22.1.0/24', aux: {} },
    ],
    [{ rangeStart: '10.22.0.1', rangeEnd: '10.22.255.254' }, {}],
    [
      { rangeStart: '10.22.1.2', rangeEnd: '10.22.1.6' },
      {
        range: '10.22.1.0/29',
        aux: {
          'outside-the-range-10.22.1.0': '10.22.1.0',
          'outside-the-range-10.22.1.1': '10.22.1.1',
          'outside-the-range-10.22.1.7': '10.22.1.7',
        },
      },
    ],
  ])('a range %o becomes %o', async (range, expected) => {
    expect((await made({ ipam: { subnet: '10.22.0.0/16', ...range } })).ipam).toEqual([
      { subnet: '10.22.0.0/16', gateway: '10.22.0.1', ...expected },
    ]);
  });

  test('is refused with the field that tsnet does not do', async () => {
    expect(await refusal({ vlan: 5 })).toMatchObject({ code: 2, msg: 'unsupported field: vlan = 5' });
    expect(await refusal({ promiscMode: true })).toMatchObject({ code: 2 });
    expect(await refusal({ isGateway: false })).toMatchObject({ code: 2 });
    const ipam = { subnet: '10.22.0.0/16', rangeStart: '10.22.99.9' };
    expect(await refusal({ ipam })).toMatchObject({ code: 2 });
    const routes = [{ dst: '10.0.0.0/8', gw: '10.22.0.9' }];
    expect(await refusal({ ipam: { subnet: '10.22.0.0/16', routes } })).toMatchObject({ code: 2 });
    expect(await refusal({ network: 'web', bridge: 'cni0' })).toMatchObject({ code: 7 });
    expect(await refusal({ ipam: { ranges: [[{}]] } })).toMatchObject({ code: 7 });
  });

  test('that is there is joined, unless it is another', async () => {
    const networks = [{ ...WEB, name: 'pods' }];
    const { engine, status } = await call('ADD', { config: { ...MAKE, subnet: '10.1.0.0/16' }, networks });
    expect(status).toBe(0);
    expect(engine.calls.map(([name]) => name)).toEqual(['findNetwork', 'attachContainer']);
    for (const config of [{ subnet: '10.9.0.0/16' }, { bridge: 'cni7' }, { driver: 'macvlan' }]) {
      expect((await call('ADD', { config: { ...MAKE, ...config }, networks })).printed).toMatchObject({ code: 7 });
    }
  });

  test('that another call makes at the same time is waited for', async () => {
    const engine = engineWith([]);
    const racing: typeof engine = {
      ...engine,
      createNetwork: () => {
        setTimeout(() => engine.state.networks.push({ ...WEB, name: 'pods' }), 40);
        return Promise.reject(new TsnetError('CONFLICT', 'a network of that name exists'));
      },
    };
    expect((await call('ADD', { config: MAKE, engine: racing })).status).toBe(0);
  });
});

describe('in a list', () => {
  const prevResult = {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'br0' }, { name: 'eth0', sandbox: '/run/netns/c1', mtu: 1400 }],
    ips: [{ address: '10.9.0.2/24', interface: 1, 'x-kept': 1 }],
    dns: {},
    'x-too': { a: 1 },
  };

  test('what came before stays, and what is added comes behind it', async () => {
    const { printed } = await call('ADD', { config: { ...JOIN, interface: 'net1', prevResult } });
    expect(printed).toEqual({
      cniVersion: '1.1.0',
      interfaces: [
        ...prevResult.interfaces,
        { name: 'tsn-web', mac: '02:42:00:00:00:01' },
        { name: 'veth0123456789a' },
        { name: 'net1', mac: '02:42:0a:01:00:05', sandbox: '/run/netns/c1' },
      ],
      ips: [...prevResult.ips, { address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 4 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }],
      'x-too': { a: 1 },
    });
  });

  test('an interface that a plugin before it made is not made again', async () => {
    const { printed, engine } = await call('ADD', { config: { ...JOIN, prevResult } });
    expect(printed).toMatchObject({ code: 7 });
    expect(engine.calls).toEqual([]);
  });
});

describe('the result', () => {
  test.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0'])('of %s', async (cniVersion) => {
    const { printed } = await call('ADD', { config: { ...JOIN, cniVersion } });
    expect(printed).toEqual({
      cniVersion,
      interfaces: [
        { name: 'tsn-web', mac: '02:42:00:00:00:01' },
        { name: 'veth0123456789a' },
        { name: 'eth0', mac: '02:42:0a:01:00:05', sandbox: '/run/netns/c1' },
      ],
      ips: [
        {
          ...(cniVersion === '1.0.0' ? {} : { version: '4' }),
          address: '10.1.0.5/16',
          gateway: '10.1.0.1',
          interface: 2,
        },
      ],
      routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }],
    });
  });

  test.each(['0.1.0', '0.2.0', undefined])('of %s', async (cniVersion) => {
    const dns = { nameservers: ['9.9.9.9'] };
    const { printed } = await call('ADD', { config: { ...JOIN, cniVersion, dns } });
    expect(printed).toEqual({
      cniVersion: cniVersion ?? '0.1.0',
      ip4: { ip: '10.1.0.5/16', gateway: '10.1.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }] },
      dns,
    });
  });

  test('names the servers of the runtime first, then those of the configuration', async () => {
    const dns = { nameservers: ['9.9.9.9'], search: ['a.test'] };
    const runtimeConfig = { DNS: { Servers: ['10.96.0.10'], Options: ['ndots:5'] } };
    expect((await call('ADD', { config: { ...JOIN, dns, runtimeConfig } })).printed).toMatchObject({
      dns: { nameservers: ['10.96.0.10'], search: ['a.test'], options: ['ndots:5'] },
    });
  });

  test('names the link that holds back what a limited container sends', async () => {
    const { printed } = await call('ADD', { config: { ...JOIN, bandwidth: { egressRate: 80, egressBurst: 800 } } });
    expect((printed?.['interfaces'] as { name: string }[]).at(-1)).toEqual({ name: 'ifb0123456789a' });
  });
});

describe('another IPAM plugin', () => {
  const config = { ...MAKE, ipam: { type: 'host-local' } };
  const given = {
    cniVersion: '1.1.0',
    ips: [{ address: '10.7.0.9/24', gateway: '10.7.0.1' }],
    dns: { domain: 'x.test' },
  };

  test('says the addresses, and so the subnet of the network', async () => {
    const commands: string[] = [];
    const { engine, printed } = await call('ADD', {
      config,
      delegate: ({ plugin, path, input }, command) => {
        commands.push(`${plugin} ${command} ${path.join()} ${(JSON.parse(input) as { name: string }).name}`);
        return Promise.resolve(given);
      },
    });
    expect(commands).toEqual(['host-local ADD /opt/cni/bin pods']);
    expect((asked(engine, 'createNetwork') as CreateNetworkRequest).ipam).toEqual([
      { subnet: '10.7.0.0/24', gateway: '10.7.0.1' },
    ]);
    expect((asked(engine, 'attachContainer') as AttachContainerRequest).attach[0]).toMatchObject({ ip: '10.7.0.9' });
    expect(printed).toMatchObject({ dns: { domain: 'x.test' } });
  });

  test('gets its address back where the container does not get it', async () => {
    const commands: string[] = [];
    const engine = engineWith([]);
    const failing: typeof engine = {
      ...engine,
      attachContainer: () => Promise.reject(new TsnetError('KERNEL', 'no')),
    };
    const { printed } = await call('ADD', {
      config,
      engine: failing,
      delegate: (_delegation, command) => {
        commands.push(command);
        return Promise.resolve(command === 'ADD' ? given : undefined);
      },
    });
    expect(commands).toEqual(['ADD', 'DEL']);
    expect(printed).toMatchObject({ code: 105 });
  });

  test('must give an address', async () => {
    const { printed } = await call('ADD', { config, delegate: () => Promise.resolve({ cniVersion: '1.1.0' }) });
    expect(printed).toMatchObject({ code: 111 });
  });
});
