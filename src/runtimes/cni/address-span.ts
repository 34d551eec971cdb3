/**
 * `rangeStart` and `rangeEnd` as tsnet has them: the smallest prefix around them, and what of it lies outside as addresses that are
 * never given.
 */
import {
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixAround,
  type Prefix,
} from '../../model/address.ts';
import type { IpamRequest } from '../../engine/engine.ts';
import { CniError } from './cni-error.ts';

export interface AddressSpan {
  /** "10.22.0.0/16" */
  readonly subnet: string;
  readonly first?: string;
  readonly last?: string;
  readonly gateway?: string;
}

/** Each is a line of the network's record. */
const MOST_LEFT_OUT = 512n;

/** @throws TsnetError INVALID, CniError 2, 7 */
export function ipamRequest({ subnet: text, first, last, gateway: given }: AddressSpan): IpamRequest {
  const subnet = parsePrefix(text);
  const gateway = given ?? formatAddress({ family: subnet.family, value: subnet.first + 1n });
  const request = { subnet: formatPrefix(subnet), gateway };
  if (first === undefined && last === undefined) return request;
  const [from, to] = [bound(subnet, first, subnet.first), bound(subnet, last, subnet.last)];
  if (from > to) throw new CniError(7, `invalid range: rangeStart ${first ?? ''} lies behind rangeEnd ${last ?? ''}`);
  const span = { from, to };
  const range = smallestAround(subnet, span);
  if (range.length === subnet.length && isWhole(subnet, span)) return request;
  return { ...request, range: formatPrefix(range), aux: leftOut(range, span, { subnet, gateway }) };
}

interface Span {
  readonly from: bigint;
  readonly to: bigint;
}

function bound(subnet: Prefix, text: string | undefined, otherwise: bigint): bigint {
  if (text === undefined) return otherwise;
  const address = parseAddress(text);
  if (address.family !== subnet.family || address.value < subnet.first || address.value > subnet.last) {
    throw new CniError(7, `invalid range: ${text} is not in subnet ${formatPrefix(subnet)}`);
  }
  return address.value;
}

function smallestAround(subnet: Prefix, { from, to }: Span): Prefix {
  let { length } = subnet;
  let range = subnet;
  for (;;) {
    const inner =
      length < (subnet.family === 4 ? 32 : 128) ? prefixAround({ ...subnet, value: from }, length + 1) : range;
    if (inner.length === range.length || inner.first > from || inner.last < to) return range;
    range = inner;
    length += 1;
  }
}

/** Nobody gets the first and the last address of a subnet anyway. */
function isWhole(subnet: Prefix, { from, to }: Span): boolean {
  return from <= subnet.first + 1n && to >= subnet.last - 1n;
}

function leftOut(
  range: Prefix,
  { from, to }: Span,
  { subnet, gateway }: { readonly subnet: Prefix; readonly gateway: string },
): Record<string, string> {
  const count = from - range.first + (range.last - to);
  if (count > MOST_LEFT_OUT) {
    throw new CniError(
      2,
      `unsupported rangeStart ${formatAddress({ ...range, value: from })} and rangeEnd ${formatAddress({ ...range, value: to })}`,
      `${count} addresses of ${formatPrefix(range)}, the smallest prefix around them, would be left out, and tsnet keeps at most ${MOST_LEFT_OUT}; end the range at a prefix, or delegate to host-local with ipam.type`,
    );
  }
  const aux: Record<string, string> = {};
  const leave = (value: bigint): void => {
    const address = formatAddress({ family: range.family, value });
    // Those are nobody's to give anyway.
    if (value === subnet.first || (range.family === 4 && value === subnet.last) || address === gateway) return;
    aux[`outside-the-range-${address}`] = address;
  };
  for (let value = range.first; value < from; value++) leave(value);
  for (let value = to + 1n; value <= range.last; value++) leave(value);
  return aux;
}
