/**
 * How the two ends of a veth pair differ from what they should be, in words for the administrator.
 */
import type { VethResource } from '../plan/resource.ts';
import type { Link } from './link-message.ts';

/** A veth end names the index of the other one. */
export function isPair(host: Link, peer: Link): boolean {
  return peer.kind === 'veth' && host.lower === peer.index && peer.lower === host.index;
}

/** `master`: index of the bridge that the host's end should be a port of. */
export function hostDifferences(veth: VethResource, host: Link, master: number | undefined): string[] {
  const onOff = (flag: boolean): string => (flag ? 'on' : 'off');
  const isPort = veth.master !== undefined;
  return [
    ...(host.alias === veth.tag ? [] : [`alias of ${veth.host} is "${host.alias ?? ''}"`]),
    ...(host.mtu === veth.mtu ? [] : [`mtu of ${veth.host} is ${host.mtu} instead of ${veth.mtu}`]),
    ...(host.up ? [] : [`${veth.host} is down`]),
    ...(host.master === master && (!isPort || master !== undefined)
      ? []
      : [isPort ? `${veth.host} is not a port of ${veth.master}` : `${veth.host} is a port of another link`]),
    ...(isPort && host.hairpin !== veth.hairpin ? [`hairpin of ${veth.host} is ${onOff(host.hairpin)}`] : []),
    ...(isPort && host.isolated !== veth.isolated ? [`isolation of ${veth.host} is ${onOff(host.isolated)}`] : []),
  ];
}

export function peerDifferences(veth: VethResource, host: Link, peer: Link | undefined): string[] {
  if (peer === undefined) return [`there is no ${veth.peer} in the sandbox`];
  if (!isPair(host, peer)) return [`${veth.peer} in the sandbox is not the other end of ${veth.host}`];
  const { mac, mtu } = veth.tuning ?? veth;
  return [
    ...(mtu === undefined || peer.mtu === mtu ? [] : [`mtu of ${veth.peer} is ${peer.mtu} instead of ${mtu}`]),
    ...(mac === undefined || peer.mac === mac.toLowerCase()
      ? []
      : [`MAC of ${veth.peer} is ${peer.mac} instead of ${mac}`]),
    ...(peer.up ? [] : [`${veth.peer} is down`]),
  ];
}
