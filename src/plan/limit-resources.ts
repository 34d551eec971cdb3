/**
 * What limits an endpoint whose host's end is a veth, and the way of a packet:
 *
 *     to the container     bridge → veth ── token bucket (what leaves the veth on the host arrives in the container)
 *     from the container   veth → redirect → ifb ── token bucket ─→ back to the veth's way in → bridge
 *
 * A queue holds what leaves a link only; so what comes in is led through a link of its own (ifb) that it leaves again. Values as
 * those of the reference bandwidth plugin.
 */
import type { Endpoint, RateLimit } from '../model/records.ts';
import { TAG_PREFIX, type Resource, type TokenBucketResource } from './resource.ts';

/** How long a packet may wait. */
const LATENCY_SECONDS = 0.025;
/** The kernel counts both in 32 bits (struct tc_tbf_qopt). */
const MOST_BYTES = 0xffff_ffff;

/** In the order in which they are made: behind the veth. */
export function limitResources({ id, hostLink, bandwidth }: Endpoint): Resource[] {
  if (bandwidth === undefined) return [];
  const { ingress, egress } = bandwidth;
  const ifb = ifbName({ hostLink });
  return [
    ...(ingress === undefined ? [] : [bucket(hostLink, ingress)]),
    ...(egress === undefined
      ? []
      : [
          // Not the endpoint's own tag: that says that the container's end is there.
          { kind: 'ifb', name: ifb, tag: `${TAG_PREFIX}limit:${id}` } as const,
          { kind: 'link-up', place: 'host', link: ifb } as const,
          bucket(ifb, egress),
          { kind: 'redirect', link: hostLink, to: ifb } as const,
        ]),
  ];
}

/** "veth0123456789a" → "ifb0123456789a": by the digits of the endpoint that both have. */
export function ifbName({ hostLink }: Pick<Endpoint, 'hostLink'>): string {
  return `ifb${hostLink.replace(/^veth/, '')}`;
}

function bucket(link: string, { bitsPerSecond, burstBits }: RateLimit): TokenBucketResource {
  const [bytesPerSecond, burstBytes] = [Math.floor(bitsPerSecond / 8), Math.floor(burstBits / 8)];
  const limit = Math.floor(bytesPerSecond * LATENCY_SECONDS) + burstBytes;
  return { kind: 'token-bucket', link, bytesPerSecond, burstBytes, limitBytes: Math.min(limit, MOST_BYTES) };
}
