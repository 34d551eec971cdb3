/** A real DHCP server (dnsmasq) on a switch of the tests' LAN. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until, type Namespace } from './lab.ts';

export interface DhcpServer {
  /** "1790000000 0a:… 192.168.22.50 tv ff:…" a line (dnsmasq's lease file). */
  readonly leases: () => string[];
  /** What it has logged. */
  readonly log: () => string;
  /** Ends it and forgets its leases. */
  readonly close: () => void;
}

/** Starts it in the router's namespace, giving 192.168.22.50 to .99 for two minutes unless `options` say otherwise. */
export async function startDhcpServer(router: Namespace, ...options: readonly string[]): Promise<DhcpServer> {
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-dnsmasq-'));
  const file = path.join(dir, 'leases');
  const range = options.some((option) => option.startsWith('--dhcp-range'))
    ? []
    : ['--dhcp-range=192.168.22.50,192.168.22.99,2m'];
  const child = router.start('dnsmasq', [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file=',
    '--user=root',
    '--port=0',
    '--interface=switch',
    '--bind-interfaces',
    '--no-ping',
    '--dhcp-authoritative',
    '--log-dhcp',
    '--log-facility=-',
    `--dhcp-leasefile=${file}`,
    ...range,
    ...options,
  ]);
  let log = '';
  const listen = (text: Buffer): void => void (log += text.toString());
  child.stderr?.on('data', listen);
  child.stdout?.on('data', listen);
  await until(() => {
    if (child.exitCode !== null) throw new Error(`dnsmasq ended: ${log}`);
    return log.includes('DHCP, sockets bound exclusively');
  });
  return {
    leases: () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []),
    log: () => log,
    close: () => {
      child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
