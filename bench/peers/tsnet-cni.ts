/** Our CNI plugin, as installed, beside the stock chain that does the same: alone, and carried out by a daemon. */
import path from 'node:path';
import { startDaemon } from '../daemon-process.ts';
import type { Group, Row } from '../group.ts';
import { thereAndBack } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';
import { outputWith } from '../run-with.ts';
import { openHost, TSNET, type Backend } from '../tsnet-host.ts';
import type { PeerContainer } from './beside-command-line.ts';
import { stockChain, STOCK_FILES } from './cni.ts';

const RUNS = { runs: 15, warmUp: 3 };

async function rows(dir: string, backend: Backend): Promise<Row[]> {
  const { env, container } = await openHost(dir, backend);
  const stock = stockChain(dir);
  const folder = path.join(dir, 'cni-bin');
  await outputWith('', [process.execPath, TSNET, 'cni', 'install', '--bin-dir', folder, '--conf-dir', folder], env);
  const plugin = path.join(folder, 'tsnet');
  const call = (command: 'ADD' | 'DEL', { id, netns, hostPort }: PeerContainer): Promise<string> => {
    const input = {
      ...{ cniVersion: '1.0.0', name: 'pods', type: 'tsnet', bridge: 'pods0', subnet: '10.12.0.0/16' },
      runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] },
    };
    return outputWith(JSON.stringify(input), [plugin], {
      ...env,
      ...{ CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_NETNS: netns, CNI_IFNAME: 'eth0', CNI_PATH: '/usr/lib/cni' },
    });
  };
  const pod = (name: string, hostPort: number): PeerContainer => ({
    id: `bench-${name}`,
    netns: container(name).path,
    address: '',
    hostPort,
  });
  // One stays, so that nobody makes and removes what the first and the last container bring and take.
  await call('ADD', pod('stays', 8081));
  await stock.attach(pod('stock-stays', 9001));
  const [ours, theirs] = [pod('ours', 8080), pod('theirs', 9000)];
  const measured = async (how: string, wanted: { readonly add: number; readonly del: number }): Promise<Row[]> => {
    const { there, back } = await thereAndBack(
      RUNS,
      { there: () => call('ADD', ours), back: () => call('DEL', ours) },
      { there: () => stock.attach(theirs), back: () => stock.detach(theirs) },
    );
    return [
      {
        name: `tsnet-cni, ADD with a port${how}`,
        ...there,
        peerName: stock.name,
        unit: 'ms',
        promise: { atMost: wanted.add },
      },
      { name: `tsnet-cni, DEL${how}`, ...back, peerName: stock.name, unit: 'ms', promise: { atMost: wanted.del } },
    ];
  };
  const { there: start } = await thereAndBack(
    RUNS,
    { there: () => outputWith('', [process.execPath, '-e', '0'], env), back: () => Promise.resolve() },
    { there: () => stock.attach(theirs), back: () => stock.detach(theirs) },
  );
  const floor: Row = { name: 'node -e 0, which every call begins with', ...start, peerName: stock.name, unit: 'ms' };
  const alone = await measured('', { add: 0.6, del: 0.5 });
  await startDaemon(env);
  return [floor, ...alone, ...(await measured(' through the daemon', { add: 0.35, del: 0.5 }))];
}

export const tsnetCni = (backend: Backend): Group => ({
  name: `tsnet-cni/${backend}`,
  measure: (dir) => {
    requireInstalled('containernetworking-plugins', ...STOCK_FILES);
    return rows(dir, backend);
  },
});
