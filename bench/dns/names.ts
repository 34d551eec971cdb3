/**
 * Names: a container's own, at 2,000 questions a second on a network of a thousand, and the outside's, when the first nameserver
 * is dead. Beside dnsmasq, which knows the same names from a hosts file.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { openNameService, type NameService } from '../../src/daemon/dns/name-service.ts';
import { randomId } from '../../src/model/ids.ts';
import type { Endpoint, Sandbox } from '../../src/model/records.ts';
import { quantile, type Group, type Row, type Samples } from '../group.ts';
import { goFirst } from '../data-plane/real-time.ts';
import { requireInstalled } from '../installed.ts';
import { inTurn } from '../in-turn.ts';
import { openHost, type TsnetHost } from '../tsnet-host.ts';
import { ask, type Load } from './load.ts';

const CROWD = 1000;
const LOCAL = { perSecond: 2000, seconds: 2 } as const;
const OUTSIDE = { perSecond: 200, seconds: 2 } as const;
const RUNS = 5;
const DNSMASQ = '127.0.0.9';
/** Nameservers on the host's loopback: nobody answers at the first, though its socket is bound. */
const [DEAD, LIVE] = ['127.0.0.2', '127.0.0.3'] as const;
/** The host's end of the network. */
const HOST_DNSMASQ = '10.10.0.1';
const WARM_UP_MS = 1000;

/** Records of further containers: the ledger is as long as on a full host, without their namespaces. */
async function fill({ context, engine }: TsnetHost): Promise<string[]> {
  const networks = await engine.listNetworks({ name: ['web'] });
  const networkId = networks.find(({ name }) => name === 'web')?.id ?? '';
  return context.ledger.change((change) =>
    Array.from({ length: CROWD }, (_, number) => {
      const [sandboxId, name] = [randomId(), `crowd${number}`];
      const shared = { version: 1, createdAt: '2024-05-01T12:00:00.000000000Z' } as const;
      const sandbox: Sandbox = {
        ...shared,
        id: sandboxId,
        name,
        origin: { kind: 'netns', path: `/run/netns/${name}` },
        netns: { path: `/run/netns/${name}`, device: 0, inode: number },
        foreignDefaultRoutes: [],
        state: 'running',
      };
      const endpoint: Endpoint = {
        ...shared,
        id: randomId(),
        networkId,
        sandboxId,
        interfaceName: 'eth0',
        hostLink: `veth${number}`,
        mac: '02:42:0a:00:00:02',
        addresses: [{ address: `10.10.${100 + (number >> 8)}.${number & 255}/16` }],
        aliases: [`alias${number}`, 'shared'],
        gatewayPriority: 0,
        ordinal: 0,
        ports: [],
        driverOptions: {},
        state: 'attached',
      };
      change.putSandbox(sandbox);
      change.putEndpoint(endpoint);
      return name;
    }),
  );
}

function nameService({ context }: TsnetHost, resolvConf: string): NameService {
  return openNameService({
    ledger: context.ledger,
    kernel: context.kernel,
    execRoot: context.config.execRoot,
    hostResolvConf: resolvConf,
    resolverDefaults: () => ({ dns: [], dnsSearch: [], dnsOpts: [] }),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    now: () => Date.now(),
  });
}

function dnsmasq(netns: string | undefined, ...args: readonly string[]): ChildProcess {
  const enter = netns === undefined ? [] : ['nsenter', `--net=${netns}`];
  const [file = '', ...rest] = [
    ...enter,
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--bind-interfaces', '--no-resolv'],
    ...['--pid-file=', '--no-hosts', ...args],
  ];
  const child = spawn(file, rest, { stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}

async function measure(dir: string): Promise<Row[]> {
  requireInstalled('dnsmasq', 'dnsmasq');
  const host = await openHost(dir, 'nftables');
  await host.engine.createNetwork({ name: 'web', ipam: [{ subnet: '10.10.0.0/16' }] });
  const { path: netns } = host.container('asker');
  const { sandbox } = await host.engine.connect({ network: 'web', container: netns });
  const crowd = await fill(host);
  const resolvConf = path.join(dir, 'resolv.conf');
  writeFileSync(resolvConf, `nameserver ${DEAD}\nnameserver ${LIVE}\n`);
  const names = nameService(host, resolvConf);
  await names.sync(new Set([sandbox.id]));

  // One processor for all: whoever asks, whoever answers, and dnsmasq in its turn.
  goFirst();
  // A bound socket that nobody reads: silence, and no refusal.
  createSocket('udp4').bind(53, DEAD).unref();
  dnsmasq(undefined, `--listen-address=${LIVE}`, '--address=/out.test/203.0.113.7');
  const hostsFile = path.join(dir, 'hosts');
  writeFileSync(
    hostsFile,
    crowd.map((name, number) => `10.10.${100 + (number >> 8)}.${number & 255} ${name}\n`).join(''),
  );
  dnsmasq(netns, `--listen-address=${DNSMASQ}`, `--addn-hosts=${hostsFile}`);
  // The same two nameservers, from the host's namespace as ours are asked.
  dnsmasq(undefined, `--listen-address=${HOST_DNSMASQ}`, `--server=${DEAD}`, `--server=${LIVE}`, '--cache-size=0');
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));

  const [ours, theirs] = ['127.0.0.11', DNSMASQ] as const;
  const local = await askInTurn({ netns, ...LOCAL, names: crowd, warm: true }, ours, theirs);
  const outside = await askInTurn({ netns, ...LOCAL, names: ['one.out.test'], warm: true }, ours, HOST_DNSMASQ);
  await names.close();
  const cold = async (): Promise<Samples> => {
    // A service that has not found out yet which nameserver is dead.
    const fresh = nameService(host, resolvConf);
    await fresh.sync(new Set([sandbox.id]));
    const latencies = await ask({ netns, ...OUTSIDE, names: ['#.out.test'], warm: false, server: ours });
    await fresh.close();
    return latencies;
  };
  const dead = await inTurn(
    { runs: RUNS, warmUp: 0 },
    async () => quantile(await cold(), 0.99),
    async () =>
      quantile(await ask({ netns, ...OUTSIDE, names: ['#.out.test'], warm: false, server: HOST_DNSMASQ }), 0.99),
  );
  const ms = { peerName: 'dnsmasq', unit: 'ms' } as const;
  return [
    { name: 'local names at 2,000/s, median', ...at(local, 0.5), ...ms },
    { name: 'local names at 2,000/s, p99', ...at(local, 0.99), ...ms, promise: { medianAtMost: 5 } },
    { name: 'an outside name at 2,000/s, p99', ...at(outside, 0.99), ...ms, peerName: 'dnsmasq, without cache' },
    { name: 'first nameserver dead, p99', ...dead, ...ms, peerName: 'dnsmasq, warm', promise: { medianAtMost: 150 } },
  ];
}

interface BothLatencies {
  readonly ours: readonly Samples[];
  readonly peer: readonly Samples[];
}

async function askInTurn(load: Omit<Load, 'server'>, ours: string, peer: string): Promise<BothLatencies> {
  const both: { ours: Samples[]; peer: Samples[] } = { ours: [], peer: [] };
  for (let run = 0; run < RUNS; run += 1) {
    both.ours.push(await ask({ ...load, server: ours }));
    both.peer.push(await ask({ ...load, server: peer }));
  }
  return both;
}

function at({ ours, peer }: BothLatencies, q: number): { readonly ours: Samples; readonly peer: Samples } {
  return { ours: ours.map((each) => quantile(each, q)), peer: peer.map((each) => quantile(each, q)) };
}

export const dns: Group = { name: 'dns', measure };
