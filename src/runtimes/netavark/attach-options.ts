/** How a container is attached, from what podman says of it: pure. */
import type { AttachOptions } from '../../engine/engine.ts';
import { familyOf } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { checkAlias } from '../../model/names.ts';
import type { Family } from '../../model/records.ts';
import type { ContainerRequest, PodmanAttachment } from './container-request.ts';
import { isTrue } from './network-plan.ts';
import type { Publisher } from './published-ports.ts';

/** Podman's search domain: aliases under it save the resolver of a container a question outside. */
export const SEARCH_DOMAIN = 'dns.podman';

/** @throws TsnetError UNSUPPORTED */
export function attachOptions(container: ContainerRequest, attachment: PodmanAttachment): AttachOptions {
  const { network, interfaceName, staticMac } = attachment;
  const ip = onlyOne(attachment, 4);
  const ip6 = onlyOne(attachment, 6);
  const metric = network.options['metric'];
  return {
    interfaceName,
    ...(ip === undefined ? {} : { ip }),
    ...(ip6 === undefined ? {} : { ip6 }),
    ...(staticMac === undefined ? {} : { mac: staticMac }),
    // The lowest metric gives the default route; ours is the highest priority.
    ...(metric !== undefined && /^\d{1,9}$/.test(metric) ? { gatewayPriority: DEFAULT_METRIC - Number(metric) } : {}),
    ...(isTrue(network.options['no_default_route']) ? { noDefaultRoute: true } : {}),
    ...(network.routes.length === 0 ? {} : { routes: network.routes }),
    aliases: aliases(container, attachment),
    // Podman's conmon binds them.
    runtimeHoldsPorts: true,
  };
}

const DEFAULT_METRIC = 100;

function onlyOne({ network, staticIps }: PodmanAttachment, family: Family): string | undefined {
  const [first, second] = staticIps.filter((ip) => familyOf(ip) === family);
  if (second === undefined) return first;
  throw new TsnetError(
    'UNSUPPORTED',
    `network ${network.name}: a container takes one IPv${family} address, not ${staticIps.join(', ')}`,
  );
}

/** The names that a container answers to on a network, its own first. */
export function namesOf({ name }: Pick<ContainerRequest, 'name'>, { aliases }: PodmanAttachment): string[] {
  return [...new Set([name, ...aliases])].filter((one) => one !== '');
}

/** Names that the name service cannot have are left out: netavark is not choosy, and a container must not fail for one. */
function aliases(container: ContainerRequest, attachment: PodmanAttachment): string[] {
  const names = namesOf(container, attachment).filter(isAlias);
  return attachment.network.dnsEnabled ? names.flatMap((name) => [name, `${name}.${SEARCH_DOMAIN}`]) : names;
}

function isAlias(name: string): boolean {
  try {
    checkAlias(name);
    return true;
  } catch {
    return false;
  }
}

/** The families in which a network can publish the ports of a container. */
export function publisherOf({ network, staticIps }: PodmanAttachment): Publisher | undefined {
  if (network.driver !== 'bridge' || network.internal) return undefined;
  const addresses = staticIps.length > 0 ? staticIps : network.subnets.map(({ subnet }) => subnet);
  return { network: network.id, families: [...new Set(addresses.map(familyOf))] };
}
