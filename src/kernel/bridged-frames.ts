/**
 * Whether frames between two ports of a bridge pass iptables (br_netfilter, per network namespace).
 *
 * It decides how containers are kept apart (`icc=false`). Where they do, the kernel applies a port's DNAT while the frame
 * is still bridged and would drop it between isolated ports: a published port could not be reached from its own network. There
 * the rule of the `icc` intent keeps containers apart. Everywhere else the bridge does, with isolated ports and without rules.
 */
import { readFileSync } from 'node:fs';

const SWITCHES = ['/proc/sys/net/bridge/bridge-nf-call-iptables', '/proc/sys/net/bridge/bridge-nf-call-ip6tables'];

/** Both families: a frame that no rule sees must not pass. */
export function bridgedFramesCrossFirewall(): boolean {
  try {
    return SWITCHES.every((file) => readFileSync(file, 'utf8').trim() === '1');
  } catch {
    // Without the module there is no such file, and no such crossing.
    return false;
  }
}
