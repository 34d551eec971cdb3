/** The CNI plugin in a list with stock plugins, many calls at once, limits with packets, and steps that fail. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  addList,
  addressOf,
  cni,
  deleteList,
  hears,
  leftovers,
  mustCni,
  NOTHING,
  refusal,
  STOCK,
  TSNET_CNI,
  type Json,
} from '../support/cni-stage.ts';
import { Lab, must, until, type Host, type Namespace } from '../support/lab.ts';

let lab: Lab;
let host: Host;
let container: Namespace;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
  container = lab.namespace('c');
});
afterEach(() => {
  lab.close();
});

const LIST = { cniVersion: '1.0.0', name: 'pods' };
const PODS: Json = { ...LIST, type: 'tsnet', bridge: 'cni0', subnet: '10.22.0.0/16' };
const PORTMAP: Json = {
  ...LIST,
  type: 'portmap',
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};

describe('in a list', () => {
  test('stock plugins behind it find what they need in its result', async () => {
    const list = [
      PODS,
      PORTMAP,
      { ...LIST, type: 'bandwidth', ingressRate: 80_000_000, ingressBurst: 8_000_000 },
      { ...LIST, type: 'tuning', sysctl: { 'net.ipv4.conf.eth0.arp_notify': '1' }, mac: '02:00:00:00:00:77' },
      { ...LIST, type: 'firewall', ingressPolicy: 'same-bridge' },
    ];
    const call = { netns: container.path };
    const result = await addList(host, list, call);
    expect(result).toMatchObject({ ips: [{ address: '10.22.0.2/16', interface: 2 }] });
    expect(await hears(host, container, { listenOn: 80, dial: ['10.22.0.1', 8080] })).toBe(true);
    expect(await container.must('sysctl', ['-n', 'net.ipv4.conf.eth0.arp_notify'])).toBe('1');
    expect(await host.must('tc', ['qdisc'])).toContain('tbf');
    await mustCni(host, 'CHECK', { ...call, config: { ...PODS, prevResult: result } });
    await deleteList(host, list, result, call);
    // Rules of the stock firewall plugin stay, which nobody removes.
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('veth');
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
  });

  test('behind a stock bridge it adds a further interface, and keeps what that made', async () => {
    const stock = {
      ...LIST,
      type: 'bridge',
      bridge: 'stock0',
      isGateway: true,
      ipam: { type: 'host-local', dataDir: `${host.dir}/hl`, subnet: '10.30.0.0/24', routes: [{ dst: '0.0.0.0/0' }] },
    };
    const list = [stock, { ...PODS, interface: 'net1' }, PORTMAP];
    const call = { netns: container.path };
    const result = await addList(host, list, call);
    expect(result['ips']).toMatchObject([{ address: '10.30.0.2/24' }, { address: '10.22.0.2/16' }]);
    await container.must('ping', ['-c', '1', '-W', '2', '10.30.0.1']);
    await container.must('ping', ['-c', '1', '-W', '2', '10.22.0.1']);
    expect(await container.must('ip', ['route', 'show', 'default'])).toContain('10.30.0.1');
    const same = { ...PODS, name: 'others', bridge: 'cni1', subnet: '10.23.0.0/16', prevResult: result };
    expect(await refusal(host, 'ADD', { ...call, config: same })).toMatchObject({ code: 7 });
    await deleteList(host, list, result, call);
    expect(await leftovers(host)).toEqual(NOTHING);
  });
});

describe('limits', () => {
  test('hold in both directions, and are mended', async () => {
    const bandwidth = { ingressRate: 16_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 400_000 };
    const config = { ...PODS, cniVersion: '1.1.0', runtimeConfig: { bandwidth } };
    const result = await mustCni(host, 'ADD', { config, netns: container.path });
    const [, { name: veth = '' } = {}, , { name: ifb = '' } = {}] = result['interfaces'] as { name?: string }[];
    const queues = await host.must('tc', ['qdisc']);
    // As the stock bandwidth plugin makes them.
    expect(queues).toContain(`dev ${veth} root refcnt 3 rate 16Mbit burst 100000b lat 25ms`);
    expect(queues).toContain(`dev ${ifb} root refcnt 2 rate 8Mbit burst 50000b lat 25ms`);
    // A rate in the long run: what passes in a second is the rate and the burst, not more.
    const down = await throughput(host, container, addressOf(result));
    const up = await throughput(container, host, '10.22.0.1');
    expect(down).toBeLessThan(26_000_000);
    expect(down).toBeGreaterThan(4_000_000);
    expect(up).toBeLessThan(14_000_000);
    expect(up).toBeGreaterThan(2_000_000);

    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.must('tc', ['qdisc', 'delete', 'dev', veth, 'ingress']);
    await host.must('tc', ['qdisc', 'delete', 'dev', veth, 'root']);
    await host.must('tc', [
      'qdisc',
      'change',
      'dev',
      ifb,
      'root',
      'tbf',
      'rate',
      '1mbit',
      'burst',
      '5kb',
      'latency',
      '9ms',
    ]);
    expect((await host.tsnet(['diff'])).status).toBe(2);
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.must('ip', ['link', 'delete', ifb]);
    await host.mustTsnet(['repair']);
    expect(await host.must('tc', ['qdisc'])).toContain(`dev ${ifb} root refcnt 2 rate 8Mbit burst 50000b lat 25ms`);
    await mustCni(host, 'DEL', { config: PODS, netns: container.path });
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('of a container that died with its namespace go with it', async () => {
    const bandwidth = { egressRate: 8_000_000, egressBurst: 400_000 };
    await mustCni(host, 'ADD', { config: { ...PODS, bandwidth }, netns: container.path });
    container.close();
    await until(async () => {
      await mustCni(host, 'GC', { config: { ...PODS, cniVersion: '1.1.0' }, id: '', interfaceName: '' });
      return (await host.mustTsnet(['ps', '-q'])) === '';
    });
    expect(await leftovers(host)).toEqual(NOTHING);
  });
});

describe.each(['0.4.0', '1.0.0'])('what tuning behind it changed, in a list of version %s,', (cniVersion) => {
  const list = (tune: Json): Json[] => [
    { ...PODS, cniVersion },
    { ...LIST, cniVersion, type: 'tuning', dataDir: `${host.dir}/tuning`, ...tune },
  ];
  const call = (): { netns: string } => ({ netns: container.path });
  const check = (prevResult: Json): Promise<Json> =>
    mustCni(host, 'CHECK', { ...call(), config: { ...PODS, cniVersion, prevResult } });
  const fails = (prevResult: Json): Promise<Json> =>
    refusal(host, 'CHECK', { ...call(), config: { ...PODS, cniVersion, prevResult } });
  const eth0 = (): Promise<string> => container.must('ip', ['link', 'show', 'eth0']);

  test('is right, and what changed besides is not', async () => {
    // The result of tuning tells the MAC, and neither MTU nor promiscuity.
    const plugins = list({ mac: '02:00:00:00:00:AB', mtu: 1400, promisc: true });
    const result = await addList(host, plugins, call());
    const [, { name: veth = '' } = {}] = result['interfaces'] as { name?: string }[];
    await check(result);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await container.must('ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:cd']);
    expect(await fails(result)).toMatchObject({ code: 110, msg: expect.stringContaining('MAC of eth0') as string });
    await container.must('ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:ab']);
    await host.must('ip', ['link', 'set', veth, 'mtu', '1300']);
    expect(await fails(result)).toMatchObject({ code: 110, msg: expect.stringContaining(`mtu of ${veth}`) as string });
    await host.mustTsnet(['repair']);
    await check(result);
    expect(await eth0()).toMatch(/PROMISC.* mtu 1400 .*02:00:00:00:00:ab/s);
    await deleteList(host, plugins, result, call());
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('is left by a daemon that mends the rest', async () => {
    await host.startDaemon();
    const plugins = list({ mac: '02:00:00:00:00:ab', mtu: 1400 });
    const result = await addList(host, plugins, call());
    const [, { name: veth = '' } = {}] = result['interfaces'] as { name?: string }[];
    await container.must('ip', ['link', 'set', 'eth0', 'down']);
    await host.must('ip', ['link', 'set', veth, 'nomaster']);
    await until(async () => {
      const [inside, outside] = [await eth0(), await host.must('ip', ['link', 'show', veth])];
      return inside.includes('state UP') && outside.includes('master cni0');
    });
    expect(await eth0()).toMatch(/mtu 1400 .*02:00:00:00:00:ab/s);
    await check(result);
    await deleteList(host, plugins, result, call());
  });
});

test('CHECK compares the MTU with that of prevResult, where it has one', async () => {
  const config = { ...PODS, cniVersion: '1.1.0' };
  const result = await mustCni(host, 'ADD', { config, netns: container.path });
  const told = (mtu: number): Json => ({
    ...result,
    interfaces: (result['interfaces'] as Json[]).map((one) => (one['name'] === 'eth0' ? { ...one, mtu } : one)),
  });
  await container.must('ip', ['link', 'set', 'eth0', 'mtu', '1400']);
  await mustCni(host, 'CHECK', { config: { ...config, prevResult: told(1400) }, netns: container.path });
  expect(
    await refusal(host, 'CHECK', { config: { ...config, prevResult: told(1450) }, netns: container.path }),
  ).toMatchObject({ code: 110 });
});

/** Bits a second that a sender gets through in a second and a half. */
async function throughput(from: Namespace, to: Namespace, address: string): Promise<number> {
  const receive = `
    let bytes = 0, began;
    require('node:net').createServer((peer) => peer.on('data', (part) => {
      began ??= performance.now();
      bytes += part.length;
      const seconds = (performance.now() - began) / 1000;
      if (seconds > 1.5) { console.log(Math.round(bytes * 8 / seconds)); process.exit(); }
    })).listen(7000, '::', () => console.log('ready'));`;
  const receiver = to.start(process.execPath, ['-e', receive]);
  const said: string[] = [];
  receiver.stdout?.on('data', (text: Buffer) => said.push(...text.toString().trim().split('\n')));
  await until(() => said.includes('ready'));
  const send = `
    const socket = require('node:net').connect(7000, ${JSON.stringify(address)});
    const part = Buffer.alloc(65536);
    const more = () => { while (socket.write(part)); };
    socket.on('connect', more).on('drain', more).on('error', () => process.exit());`;
  const sender = from.start(process.execPath, ['-e', send]);
  const rate = await until(() => said.find((line) => /^\d+$/.test(line)), 10_000);
  sender.kill('SIGKILL');
  return Number(rate);
}

describe('many calls at once', () => {
  test.each(['alone', 'through a daemon'])(
    'fifty ADDs and DELs mixed, %s: no address twice, and nothing is left',
    async (mode) => {
      if (mode === 'through a daemon') await host.startDaemon();
      const pods = Array.from({ length: 30 }, (_, index) => ({
        id: `p${String(index)}`,
        container: lab.namespace('p'),
      }));
      const results = await Promise.all(
        pods.map(async ({ id, container: { path: netns } }, index) => {
          const portMappings = [{ HostPort: 9000 + index, ContainerPort: 80, Protocol: 'tcp' }];
          const call = { id, netns, config: { ...PODS, runtimeConfig: { portMappings } }, timeoutMs: 150_000 };
          const result = await mustCni(host, 'ADD', call);
          // Every second leaves while others come, and some come again.
          if (index % 2 === 0) return addressOf(result);
          await mustCni(host, 'DEL', call);
          return index % 6 === 1 ? addressOf(await mustCni(host, 'ADD', call)) : undefined;
        }),
      );
      const held = results.filter((address) => address !== undefined);
      expect(held).toHaveLength(20);
      expect(new Set(held).size).toBe(20);
      expect((await host.mustTsnet(['ps', '-q'])).split('\n')).toHaveLength(20);
      expect(await host.mustTsnet(['diff'])).toBe('');
      // The host goes down: nobody calls DEL any more.
      for (const { container: pod } of pods) pod.close();
      await until(async () => {
        await mustCni(host, 'GC', { config: { ...PODS, cniVersion: '1.1.0' }, id: '', interfaceName: '' });
        return (await host.mustTsnet(['ps', '-q'])) === '';
      }, 30_000);
      expect(await leftovers(host)).toEqual(NOTHING);
    },
    240_000,
  );

  test('networks of one container that are attached side by side', async () => {
    const networks = [1, 2, 3, 4].map((number) => ({
      ...LIST,
      type: 'tsnet',
      name: `n${String(number)}`,
      subnet: `10.4${String(number)}.0.0/24`,
    }));
    await Promise.all(
      networks.map((config, index) =>
        mustCni(host, 'ADD', { config, netns: container.path, interfaceName: `net${String(index)}` }),
      ),
    );
    expect(await host.mustTsnet(['ps', '--format', '{{.Networks}}'])).toMatch(/^n\d,n\d,n\d,n\d$/);
    expect(await host.mustTsnet(['diff'])).toBe('');
    await Promise.all(
      networks.map((config, index) =>
        mustCni(host, 'DEL', { config, netns: '', interfaceName: `net${String(index)}` }),
      ),
    );
    expect(await leftovers(host)).toEqual(NOTHING);
  });
});

test('an ADD that fails at any step of the kernel’s leaves nothing', async () => {
  const published = { ...PODS, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } };
  const call = { config: published, netns: container.path };
  // The network is up: what fails from here on is the container's.
  await mustCni(host, 'ADD', { config: PODS, id: 'stays', netns: lab.namespace('c').path });
  const clean = await leftovers(host);

  // The firewall, which is last: an iptables-restore that refuses what has to do with the port.
  const bin = `${host.dir}/bin`;
  mkdirSync(bin);
  for (const name of ['iptables-restore', 'iptables-nft-restore', 'iptables-legacy-restore']) {
    const real = await must('sh', ['-c', `command -v ${name}`]);
    writeFileSync(
      `${bin}/${name}`,
      `#!/bin/sh\ninput=$(cat)\ncase $input in *8080*) case $input in *"-A "*|*"-I "*) echo refused >&2; exit 1;; esac;; esac\nprintf '%s\\n' "$input" | ${real} "$@"\n`,
    );
    chmodSync(`${bin}/${name}`, 0o755);
  }
  const PATH = `${bin}:${process.env['PATH'] ?? ''}`;
  const refused = await host.run(TSNET_CNI, [], {
    env: {
      ...host.env,
      ...{
        PATH,
        CNI_COMMAND: 'ADD',
        CNI_CONTAINERID: 'c1',
        CNI_NETNS: container.path,
        CNI_IFNAME: 'eth0',
        CNI_PATH: STOCK,
      },
    },
    input: JSON.stringify(call.config),
  });
  expect(JSON.parse(refused.stdout)).toMatchObject({ code: 106 });
  expect(await leftovers(host)).toEqual(clean);
  expect((await container.run('ip', ['link', 'show', 'eth0'])).status).not.toBe(0);

  // The bridge that it is to be plugged into.
  await host.must('ip', ['link', 'delete', 'cni0']);
  expect((await cni(host, 'ADD', call)).status).toBe(1);
  await host.mustTsnet(['repair']);
  expect(await leftovers(host)).toEqual(clean);
  // All is well again.
  await mustCni(host, 'ADD', call);
});

test('installed, it is what a runtime finds', async () => {
  const folders = [`${host.dir}/bin`, `${host.dir}/net.d`];
  const install = ['cni', 'install', '--bin-dir', folders[0] ?? '', '--conf-dir', folders[1] ?? ''];
  const said = await host.mustTsnet(install);
  expect(said).toContain(`${folders[0] ?? ''}/tsnet: asks the daemon at ${host.socket}, or runs ${TSNET_CNI}`);
  expect(said).toContain('10-tsnet.conflist: written');
  expect(await host.mustTsnet(install)).toContain('is there already');
  const { plugins, ...list } = JSON.parse(await must('cat', [`${folders[1] ?? ''}/10-tsnet.conflist`])) as {
    plugins: Json[];
    name: string;
    cniVersion: string;
  };
  const config = { ...plugins[0], name: list.name, cniVersion: list.cniVersion };
  symlinkSync(`${folders[0] ?? ''}/tsnet`, `${host.dir}/linked`);
  // As a service of the system has it: without a PATH that would lead to Node.js.
  for (const file of [`${folders[0] ?? ''}/tsnet`, `${host.dir}/linked`]) {
    const version = await host.run('/usr/bin/env', ['-i', 'PATH=/nowhere', 'CNI_COMMAND=VERSION', file], {
      input: '{}',
    });
    expect(JSON.parse(version.stdout)).toMatchObject({ cniVersion: '1.1.0' });
  }
  // Its ledger is that of whoever installed it, whatever the environment of the call.
  const elsewhere = { TSNET_DATA_ROOT: `${host.dir}/other`, TSNET_EXEC_ROOT: `${host.dir}/other`, TSNET_CONFIG: '' };
  const { stdout } = await host.run(`${folders[0] ?? ''}/tsnet`, [], {
    env: {
      ...elsewhere,
      ...{ CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: container.path, CNI_IFNAME: 'eth0', CNI_PATH: STOCK },
    },
    input: JSON.stringify(config),
  });
  expect(await host.mustTsnet(['ps', '--format', '{{.Networks}}'])).toBe('pods');
  expect(JSON.parse(stdout)).toMatchObject({ interfaces: [{ name: 'tsnet-pods' }, {}, { name: 'eth0' }] });
});
