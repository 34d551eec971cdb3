/**
 * The command with which an administrator lets a network pass somebody else's chain, in the words of whoever keeps it.
 *
 * It opens nothing: our own rules drop what must not enter a network, and a drop anywhere is final. (firewalld's zone
 * `trusted` opens the host's own services to the containers as well, as Docker's zone does.)
 */
import { shellWord } from '../../model/shell-word.ts';
import { fateIn, type Passage } from './forward-fate.ts';
import { isIptablesForward, type BaseChain, type ForwardRule, type ForwardRules } from './forward-rule.ts';

export interface RemedyRequest {
  readonly base: BaseChain;
  readonly rules: ForwardRules;
  /** The ways, of one bridge, that the chain does not let pass. */
  readonly passages: readonly Passage[];
  /** What `iptables` stands for on this host. */
  readonly iptables: 'nft' | 'legacy';
}

export function remedyFor(request: RemedyRequest): string {
  const { base } = request;
  if (base.table === 'firewalld') return firewalld(request);
  if (!isIptablesForward(base)) return nft(request);
  // What ufw is told outlasts a reboot, so it comes before Docker where both are there.
  const user = base.family === 'ip' ? 'ufw-user-forward' : 'ufw6-user-forward';
  if (helps(request, user, 'last')) return ufw(request);
  return iptables(request, helps(request, 'DOCKER-USER', 'first') ? 'DOCKER-USER' : base.name);
}

/** Whether accepting the bridge in this chain ends the drop: not where nothing leads to the chain, or only behind a drop. */
function helps({ base, rules, passages }: RemedyRequest, chain: string, place: 'first' | 'last'): boolean {
  const there = rules.get(chain);
  if (there === undefined) return false;
  const accepts = passages.map(({ bridge, direction }): ForwardRule => ({
    conditions: [{ kind: 'link', side: direction === 'out' ? 'in' : 'out', names: [bridge], negated: false }],
    verdict: { kind: 'accept' },
  }));
  const mended = new Map(rules).set(chain, place === 'first' ? [...accepts, ...there] : [...there, ...accepts]);
  return passages.every((passage) => fateIn(base, mended, passage).kind !== 'drop');
}

function ufw({ passages }: RemedyRequest): string {
  return passages
    .map(({ bridge, direction }) => `ufw route allow ${direction === 'out' ? 'in' : 'out'} on ${word(bridge)}`)
    .join(' && ');
}

function iptables({ base, passages, iptables: standard }: RemedyRequest, chain: string): string {
  const variant = base.owner === standard ? '' : `-${base.owner}`;
  const program = `${base.family === 'ip' ? 'iptables' : 'ip6tables'}${variant}`;
  return passages
    .map(
      ({ bridge, direction }) =>
        `${program} -I ${chain} ${direction === 'out' ? '-i' : '-o'} ${word(bridge)} -j ACCEPT`,
    )
    .join(' && ');
}

/** For now and for good, without a reload: that would flush the chains of iptables, ours among them. */
function firewalld({ passages }: RemedyRequest): string {
  const change = `--zone=trusted --change-interface=${word(passages[0]?.bridge ?? '')}`;
  return `firewall-cmd ${change} && firewall-cmd --permanent ${change}`;
}

function nft({ base, passages }: RemedyRequest): string {
  const chain = `${base.family} ${base.table} ${base.name}`;
  const rules = passages.map(
    ({ bridge, direction }) => `insert rule ${chain} ${direction === 'out' ? 'iifname' : 'oifname'} "${bridge}" accept`,
  );
  return `nft ${shellWord(rules.join('; '))}`;
}

/** A name as a shell takes it. */
function word(name: string): string {
  return /^[\w.@:+-]+$/.test(name) ? name : shellWord(name);
}
