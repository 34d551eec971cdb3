/**
 * Who serves the names of podman's networks.
 *
 * While a daemon of ours runs it does, at 127.0.0.11 in each container, with nothing to start. Without one it is aardvark-dns, at
 * the bridge's address. The files of aardvark-dns are kept in both cases, and the bridge's address stands second in resolv.conf: when
 * the daemon is gone, the next container starts aardvark-dns, which then knows them all.
 */
import type { Endpoint } from '../../model/records.ts';
import { withoutLength } from '../../model/address.ts';
import type { Addition, NamedNetwork } from './aardvark.ts';
import { namesOf } from './attach-options.ts';
import type { ContainerRequest, PodmanAttachment } from './container-request.ts';
import type { Session } from './session.ts';

/** Where the name service answers inside every container. */
const OURS = '127.0.0.11';

/** Nameservers that podman writes into resolv.conf for a network. */
export function nameserversOf({ network }: PodmanAttachment, { isDaemon, aardvark }: Session): string[] {
  if (!network.dnsEnabled) return [];
  return [...(isDaemon ? [OURS] : []), ...(aardvark === undefined ? [] : listenAddresses(network))];
}

/** aardvark-dns listens at the addresses of a bridge; other networks have none on the host. */
function listenAddresses({ driver, subnets }: PodmanAttachment['network']): string[] {
  if (driver !== 'bridge') return [];
  return subnets.flatMap(({ gateway }) => gateway ?? []);
}

export async function serveNames(
  { aardvark, isDaemon }: Session,
  container: ContainerRequest,
  attached: readonly { readonly attachment: PodmanAttachment; readonly endpoint: Endpoint }[],
): Promise<void> {
  const additions = attached.flatMap(({ attachment, endpoint }): Addition[] => {
    const listen = attachment.network.dnsEnabled ? listenAddresses(attachment.network) : [];
    if (listen.length === 0) return [];
    return [
      {
        network: attachment.network,
        header: { listen, upstreams: attachment.network.dnsServers },
        entry: {
          containerId: container.id,
          addresses: endpoint.addresses.map(({ address }) => withoutLength(address)),
          // What would end a field or a line is no name that anybody could ask for.
          names: namesOf(container, attachment).filter((name) => !/[\s,]/.test(name)),
          dnsServers: container.dnsServers,
        },
      },
    ];
  });
  if (additions.length > 0) await aardvark?.add(additions, { start: !isDaemon });
}

export async function forgetNames(
  { aardvark }: Session,
  container: Pick<ContainerRequest, 'id'>,
  networks: readonly (NamedNetwork & { readonly dnsEnabled: boolean })[],
): Promise<void> {
  const named = networks.filter(({ dnsEnabled }) => dnsEnabled);
  if (named.length > 0) await aardvark?.remove(container.id, named);
}
