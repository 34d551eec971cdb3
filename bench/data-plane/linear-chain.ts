/**
 * Published ports as dockerd writes them for iptables: a rule a port in three chains, each of which a new connection passes
 * rule by rule. The text is what dockerd 20.10 of Debian leaves for a container on a network of its own, without its userland
 * proxy, which is the shorter form; the last rows of the group `connections` show it beside a real dockerd.
 */
import { runWith } from '../run-with.ts';

export interface LinearChain {
  readonly bridge: string;
  readonly subnet: string;
  /** The container's address. */
  readonly to: string;
  readonly ports: readonly { readonly host: number; readonly container: number }[];
}

function chainText({ bridge, subnet, to, ports }: LinearChain): string {
  const port = (number: number): string => `-p tcp -m tcp --dport ${number}`;
  return [
    '*filter',
    ':DOCKER - [0:0]',
    ':DOCKER-ISOLATION-STAGE-1 - [0:0]',
    ':DOCKER-ISOLATION-STAGE-2 - [0:0]',
    ':DOCKER-USER - [0:0]',
    '-A FORWARD -j DOCKER-USER',
    '-A FORWARD -j DOCKER-ISOLATION-STAGE-1',
    `-A FORWARD -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    `-A FORWARD -o ${bridge} -j DOCKER`,
    `-A FORWARD -i ${bridge} ! -o ${bridge} -j ACCEPT`,
    `-A FORWARD -i ${bridge} -o ${bridge} -j ACCEPT`,
    ...ports.map(({ container }) => `-A DOCKER -d ${to}/32 ! -i ${bridge} -o ${bridge} ${port(container)} -j ACCEPT`),
    `-A DOCKER-ISOLATION-STAGE-1 -i ${bridge} ! -o ${bridge} -j DOCKER-ISOLATION-STAGE-2`,
    '-A DOCKER-ISOLATION-STAGE-1 -j RETURN',
    `-A DOCKER-ISOLATION-STAGE-2 -o ${bridge} -j DROP`,
    '-A DOCKER-ISOLATION-STAGE-2 -j RETURN',
    '-A DOCKER-USER -j RETURN',
    'COMMIT',
    '*nat',
    ':DOCKER - [0:0]',
    '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER',
    '-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER',
    `-A POSTROUTING -o ${bridge} -m addrtype --src-type LOCAL -j MASQUERADE`,
    `-A POSTROUTING -s ${subnet} ! -o ${bridge} -j MASQUERADE`,
    ...ports.map(({ container }) => `-A POSTROUTING -s ${to}/32 -d ${to}/32 ${port(container)} -j MASQUERADE`),
    ...ports.map(({ host, container }) => `-A DOCKER ${port(host)} -j DNAT --to-destination ${to}:${container}`),
    'COMMIT',
    '',
  ].join('\n');
}

/** One `iptables-restore`; dockerd itself runs `iptables` once a rule, which at 10,000 ports would take an hour. */
export function writeLinearChain(chain: LinearChain): Promise<void> {
  return runWith(chainText(chain), 'iptables-restore', '--wait');
}
