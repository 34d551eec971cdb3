import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchChanges } from '../../src/kernel/change-events.ts';
import { hostSockets } from '../../src/kernel/host-sockets.ts';
import { openMulticastSocket } from '../../src/kernel/multicast-socket.ts';
import { namespaceId } from '../../src/kernel/namespace-id.ts';
import { openNftLibrary } from '../../src/kernel/nft-library.ts';
import type { HostChange, Watch } from '../../src/plan/watch.ts';
import { Lab, must, until, type Namespace } from '../support/lab.ts';
import { identify } from './kernel-stage.ts';

let lab: Lab;
let sandbox: Namespace;
let watch: Watch;
let host: HostChange[];
let namespaces: number[];
let gone: number[];
let firewall: (string | undefined)[];
const sockets = hostSockets();
const nsidOf = (path: string): Promise<number | undefined> => namespaceId(sockets.socket('route'), identify(path));

beforeEach(async () => {
  lab = new Lab();
  sandbox = lab.namespace('sandbox');
  [host, namespaces, gone, firewall] = [[], [], [], []];
  await must('sh', ['-c', 'ip link add old0 type veth peer name old1; ip link set old0 alias tsnet:old']);
  watch = await watchChanges({
    onHost: (change) => host.push(change),
    onNamespace: (nsid) => namespaces.push(nsid),
    onNamespaceGone: (nsid) => gone.push(nsid),
    onFirewall: (by) => firewall.push(by),
    onLost: () => undefined,
  });
});
afterEach(async () => {
  watch.close();
  await sockets.close();
  await must('sh', ['-c', 'ip link delete old0 2>/dev/null || true; nft flush ruleset']);
  lab.close();
});

it('links, addresses and routes of the host come with the name and the tag of their link', async () => {
  await must('ip', ['address', 'add', '10.98.0.1/24', 'dev', 'old0']);
  await until(() => host.some(({ about, link, tag }) => about === 'address' && link === 'old0' && tag === 'tsnet:old'));
  await must('sh', ['-c', 'ip link set old0 up; ip link set old1 up; ip route add 10.97.0.0/24 dev old0']);
  await until(() => host.some(({ about, tag }) => about === 'route' && tag === 'tsnet:old'));
  await must('ip', ['link', 'delete', 'old0']);
  await until(() => host.some(({ gone: left, tag }) => left === true && tag === 'tsnet:old'));
});

it('what happens in another namespace comes with its id, once it has one, and its end is told', async () => {
  const nsid = await nsidOf(sandbox.path);
  expect(nsid).toBeTypeOf('number');
  expect(await nsidOf(sandbox.path)).toBe(nsid);
  expect(await nsidOf(lab.namespace('other').path)).not.toBe(nsid);
  await sandbox.must('ip', ['address', 'add', '10.96.0.1/24', 'dev', 'lo']);
  await until(() => namespaces.includes(nsid ?? -1));
  expect(host.filter(({ about }) => about === 'address')).toEqual([]);
  sandbox.close();
  await until(() => gone.includes(nsid ?? -1));
});

it('changes of the firewall come with who made them, our own and those of other namespaces not at all', async () => {
  await must('nft', ['add table inet foreign']);
  await until(() => firewall.length === 1);
  expect(firewall[0]).toMatch(/^nft \(pid \d+\)$/);
  const namespaced = await nsidOf(sandbox.path);
  expect(namespaced).toBeTypeOf('number');
  await sandbox.must('nft', ['add table inet inside']);
  expect(await openNftLibrary()?.apply('add table inet ours')).toBeUndefined();
  await must('iptables', ['-N', 'FOREIGN']);
  await until(() => firewall.length === 2);
  expect(firewall[1]).toMatch(/^iptables \(pid/);
});

it('says so when events were lost, and goes on', async () => {
  let lost = 0;
  let heard = 0;
  const socket = openMulticastSocket({
    protocol: 'route',
    groups: [1],
    bufferBytes: 1,
    onMessage: () => heard++,
    onLost: () => lost++,
  });
  try {
    // The event loop stands still meanwhile: nobody reads.
    for (let count = 0; count < 20; count++) {
      execFileSync('ip', ['link', 'set', 'old0', 'mtu', String(1400 + count)]);
    }
    await until(() => lost > 0);
    const before = heard;
    await must('ip', ['link', 'set', 'old0', 'mtu', '1300']);
    await until(() => heard > before);
  } finally {
    socket.close();
  }
});
