/** The CNI plugin as a runtime calls it, alone and carried out by a daemon: with packets, and with what the protocol is full of. */
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  addressOf,
  cni,
  hears,
  installPlugin,
  leftovers,
  mustCni,
  NOTHING,
  refusal,
  STOCK,
  type CniCall,
  type Json,
} from '../support/cni-stage.ts';
import { Lab, must, run, until, type Host, type Namespace } from '../support/lab.ts';

const PODS: Json = { cniVersion: '1.1.0', name: 'pods', type: 'tsnet', bridge: 'cni0', subnet: '10.22.0.0/16' };

/** As containerd writes it. */
const published = (hostPort: number): Json => ({
  ...PODS,
  capabilities: { portMappings: true },
  runtimeConfig: { portMappings: [{ HostPort: hostPort, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }] },
});

describe.each(['alone', 'through a daemon', 'through a daemon, as installed'])('%s', (mode) => {
  const lab = new Lab();
  let host: Host;
  let containers: Namespace[];

  beforeAll(async () => {
    host = lab.host();
    containers = [lab.namespace('c'), lab.namespace('c')];
    if (mode !== 'alone') await host.startDaemon();
    if (mode.endsWith('as installed')) await installPlugin(host);
  });
  afterAll(() => {
    lab.close();
  });

  const at = (index: number): Namespace => {
    const container = containers[index];
    if (container === undefined) throw new Error('no such container');
    return container;
  };
  const calls = (index: number, config = PODS): CniCall => ({ config, id: `c${String(index)}`, netns: at(index).path });

  test('a container gets its network, made with the first one, and its port is open', async () => {
    const result = await mustCni(host, 'ADD', calls(0, published(8080)));
    expect(result).toMatchObject({
      cniVersion: '1.1.0',
      interfaces: [{ name: 'cni0' }, {}, { name: 'eth0', sandbox: at(0).path }],
      ips: [{ address: '10.22.0.2/16', gateway: '10.22.0.1', interface: 2 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.22.0.1' }],
    });
    const other = await mustCni(host, 'ADD', calls(1));
    expect(await hears(host, at(0), { listenOn: 80, dial: ['127.0.0.1', 8080] })).toBe(true);
    expect(await hears(at(1), at(0), { listenOn: 80, dial: [addressOf(result), 80] })).toBe(true);
    expect(await hears(at(0), at(0), { listenOn: 80, dial: ['10.22.0.1', 8080] })).toBe(true);
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}}'])).toBe('c1 pods\nc0 pods');
    // What runtimes of the first and of the newest versions keep of it.
    for (const prevResult of [other, { ...other, dns: {} }, { ...other, cniVersion: '1.0.0' }]) {
      await mustCni(host, 'CHECK', calls(1, { ...PODS, prevResult }));
    }
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  test('CHECK tells of what is gone', async () => {
    const view = JSON.parse((await cni(host, 'ADD', calls(0))).stdout) as Json;
    // It has its interface already.
    expect(view).toMatchObject({ code: 101 });
    const prevResult = {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'eth0', sandbox: at(0).path }],
      ips: [{ address: '10.22.0.2/16', interface: 0 }],
    };
    const check = calls(0, { ...published(8080), prevResult });
    await mustCni(host, 'CHECK', check);
    await host.must('iptables', ['-t', 'nat', '-F', 'TSNET']);
    // A daemon mends it within a moment.
    const told = await cni(host, 'CHECK', check);
    if (mode === 'alone') {
      expect(JSON.parse(told.stdout)).toMatchObject({
        code: 110,
        msg: expect.stringContaining('publish tcp') as string,
      });
    }
    await host.mustTsnet(['repair']);
    await until(async () => (await cni(host, 'CHECK', check)).status === 0);
  });

  test('DEL is success without a namespace, without a previous result, and any number of times', async () => {
    for (const call of [calls(0, published(8080)), { ...calls(0), netns: '' }, { ...calls(0), netns: '' }]) {
      expect(await cni(host, 'DEL', call)).toMatchObject({ status: 0, stdout: '' });
    }
    expect((await at(0).run('ip', ['link', 'show', 'eth0'])).status).not.toBe(0);
    await mustCni(host, 'DEL', calls(1));
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test.each(['/proc/PID/ns/net', '/run/netns/NAME', '/var/run/netns/NAME'])('a namespace at %s', async (form) => {
    const holder = at(0).start('sleep', ['100']);
    const netns = form.replace('PID', String(holder.pid)).replace('NAME', at(0).name);
    await must('mkdir', ['-p', '/var/run']);
    const result = await mustCni(host, 'ADD', { config: PODS, id: 'c0', netns });
    expect(result['interfaces']).toMatchObject([{}, {}, { sandbox: netns }]);
    await at(0).must('ping', ['-c', '1', '-W', '2', '10.22.0.1']);
    await mustCni(host, 'DEL', { config: PODS, id: 'c0', netns });
    holder.kill();
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('an ADD that cannot be done leaves nothing', async () => {
    // The port is taken by a program; the address by the gateway; the interface by somebody; the namespace is none.
    const taken = host.start(process.execPath, [
      '-e',
      "require('net').createServer().listen(8099, () => console.log(1))",
    ]);
    await new Promise((resolve) => taken.stdout?.once('data', resolve));
    expect(await refusal(host, 'ADD', calls(0, published(8099)))).toMatchObject({ code: 103 });
    taken.kill();
    expect(await refusal(host, 'ADD', { ...calls(0), args: 'IP=10.22.0.1' })).toMatchObject({ code: 101 });
    await must('ip', ['-n', at(0).name, 'link', 'add', 'eth0', 'type', 'bridge']);
    expect(await refusal(host, 'ADD', calls(0))).toMatchObject({ code: 101 });
    await must('ip', ['-n', at(0).name, 'link', 'delete', 'eth0']);
    expect(await refusal(host, 'ADD', { ...calls(0), netns: '/run/netns/nobody' })).toMatchObject({ code: 8 });
    expect(await refusal(host, 'ADD', { ...calls(0), netns: host.path })).toMatchObject({ code: 8 });
    // What a runtime does then.
    await mustCni(host, 'DEL', calls(0));
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('an address and a port that another container has are refused, and stay with it', async () => {
    const result = await mustCni(host, 'ADD', { ...calls(0, published(8081)), args: 'IgnoreUnknown=1;IP=10.22.7.7' });
    expect(addressOf(result)).toBe('10.22.7.7');
    // The same address for another container: refused inside the transaction.
    expect(await refusal(host, 'ADD', { ...calls(1), args: 'IP=10.22.7.7' })).toMatchObject({ code: 101 });
    expect(await refusal(host, 'ADD', calls(1, published(8081)))).toMatchObject({ code: 103 });
    await mustCni(host, 'DEL', { ...calls(0), netns: '' });
    await mustCni(host, 'DEL', { ...calls(1), netns: '' });
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('DEL for another network or interface of the container leaves this one alone', async () => {
    await mustCni(host, 'ADD', calls(0));
    const other = { ...PODS, name: 'others', bridge: 'cni1', subnet: '10.23.0.0/16' };
    await mustCni(host, 'ADD', { ...calls(0, other), interfaceName: 'net1' });
    expect(await refusal(host, 'ADD', { ...calls(0), interfaceName: 'net2' })).toMatchObject({ code: 101 });
    await mustCni(host, 'DEL', { ...calls(0), interfaceName: 'net2' });
    await mustCni(host, 'DEL', { ...calls(0, other), interfaceName: 'eth0' });
    expect(await at(0).must('ip', ['-4', '-br', 'addr'])).toMatch(/eth0.*10\.22\.[\s\S]*net1.*10\.23\./);
    await mustCni(host, 'DEL', { ...calls(0, other), interfaceName: 'net1' });
    await mustCni(host, 'DEL', calls(0));
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('GC lets go of the dead and of nobody else', async () => {
    const doomed = lab.namespace('d');
    await mustCni(host, 'ADD', { config: PODS, id: 'doomed', netns: doomed.path });
    await mustCni(host, 'ADD', calls(0));
    const names = async (): Promise<string> => host.mustTsnet(['ps', '--format', '{{.Name}}']);
    for (const valid of [{}, { 'cni.dev/valid-attachments': null }, { 'cni.dev/attachments': [] }]) {
      await mustCni(host, 'GC', { config: { ...PODS, ...valid }, id: '', interfaceName: '' });
    }
    expect(await names()).toBe('c0\ndoomed');
    doomed.close();
    const valid = { 'cni.dev/valid-attachments': [{ containerID: 'doomed', ifname: 'eth0' }] };
    await mustCni(host, 'GC', { config: { ...PODS, ...valid }, id: '', interfaceName: '' });
    // A daemon finds the dead by itself.
    if (mode === 'alone') expect(await names()).toBe('c0\ndoomed');
    await until(async () => {
      await mustCni(host, 'GC', { config: PODS, id: '', interfaceName: '' });
      return (await names()) === 'c0';
    });
    await mustCni(host, 'DEL', calls(0));
    expect(await leftovers(host)).toEqual(NOTHING);
  });

  test('STATUS says whether containers can come', async () => {
    expect((await cni(host, 'STATUS', { config: PODS, id: '', interfaceName: '' })).status).toBe(0);
    const missing = { ...PODS, bridge: undefined, subnet: undefined, network: 'nobody' };
    expect(await refusal(host, 'STATUS', { config: missing, id: '', interfaceName: '' })).toMatchObject({ code: 50 });
  });

  test('another IPAM plugin gives the addresses and gets them back', async () => {
    const store = `${host.dir}/host-local`;
    const config = {
      cniVersion: '1.0.0',
      name: 'delegated',
      type: 'tsnet',
      bridge: 'cni2',
      ipam: { type: 'host-local', dataDir: store, subnet: '10.24.0.0/24', rangeStart: '10.24.0.50' },
    };
    const result = await mustCni(host, 'ADD', calls(0, config));
    expect(result['ips']).toEqual([{ address: '10.24.0.50/24', gateway: '10.24.0.1', interface: 2 }]);
    await at(0).must('ping', ['-c', '1', '-W', '2', '10.24.0.1']);
    await mustCni(host, 'CHECK', calls(0, { ...config, prevResult: result }));
    const held = async (): Promise<string> => (await run('ls', [`${store}/delegated`])).stdout;
    expect(await held()).toContain('10.24.0.50');
    // An ADD that fails when the address was given already.
    await must('ip', ['-n', at(1).name, 'link', 'add', 'eth0', 'type', 'bridge']);
    expect(await refusal(host, 'ADD', calls(1, config))).toMatchObject({ code: 101 });
    await must('ip', ['-n', at(1).name, 'link', 'delete', 'eth0']);
    expect(await held()).not.toContain('10.24.0.51');
    await mustCni(host, 'DEL', { ...calls(0, config), netns: '' });
    expect(await held()).not.toContain('10.24.0.50');
    const nobody = { ...config, ipam: { type: 'nobody' } };
    expect(await refusal(host, 'ADD', calls(0, nobody))).toMatchObject({
      code: 7,
      details: expect.stringContaining(STOCK) as string,
    });
    expect(await leftovers(host)).toEqual(NOTHING);
  });
});

test('after a reboot DEL is success, and the network comes up with the next container', async () => {
  const lab = new Lab();
  try {
    const host = lab.host();
    const before = lab.namespace('c');
    await mustCni(host, 'ADD', { config: published(8080), netns: before.path });
    before.close();
    // What a reboot leaves: data-root, and a kernel without anything.
    const after = lab.host();
    await must('cp', ['-a', `${host.dir}/lib`, after.dir]);
    rmSync(`${after.dir}/run`, { recursive: true, force: true });
    await mustCni(after, 'DEL', { config: published(8080), netns: '' });
    const container = lab.namespace('c');
    await mustCni(after, 'ADD', { config: published(8080), netns: container.path });
    await container.must('ping', ['-c', '1', '-W', '2', '10.22.0.1']);
    await mustCni(after, 'DEL', { config: PODS, netns: '' });
    expect(await leftovers(after)).toEqual(NOTHING);
  } finally {
    lab.close();
  }
});

test('standard output has JSON alone, whatever daemon.json has to say', async () => {
  const lab = new Lab();
  try {
    const host = lab.host();
    writeFileSync(`${host.dir}/daemon.json`, '{"no-such-key": 1}');
    expect(await refusal(host, 'ADD', { config: PODS, netns: lab.namespace('c').path })).toMatchObject({
      code: 7,
      msg: expect.stringContaining('no-such-key') as string,
    });
  } finally {
    lab.close();
  }
});
