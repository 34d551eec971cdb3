/** The limits that a configuration or a runtime sets, in the keys of the bandwidth plugin: bits a second, and bits. */
import type { Bandwidth } from '../../model/records.ts';
import { CniError } from './cni-error.ts';
import { numberAt, objectAt, type Fields } from './fields.ts';

/** Bytes: what the kernel counts in 32 bits (struct tc_tbf_qopt). */
const MOST_BURST_BITS = 0xffff_ffff * 8;

/** Undefined where nothing is limited. What stands in the configuration wins over what the runtime says. @throws CniError 6, 7 */
export function readBandwidth(fields: Fields): Bandwidth | undefined {
  const own = objectAt(fields, 'bandwidth');
  const given = ['ingressRate', 'egressRate'].some((key) => own.value(key) !== undefined);
  const limits = given ? own : objectAt(objectAt(fields, 'runtimeConfig'), 'bandwidth');
  const [ingress, egress] = [limitOf(limits, 'ingress'), limitOf(limits, 'egress')];
  if (ingress === undefined && egress === undefined) return undefined;
  return { ...(ingress === undefined ? {} : { ingress }), ...(egress === undefined ? {} : { egress }) };
}

function limitOf(fields: Fields, way: 'ingress' | 'egress'): Bandwidth['ingress'] {
  const [rate, burst] = [numberAt(fields, `${way}Rate`) ?? 0, numberAt(fields, `${way}Burst`) ?? 0];
  if (rate === 0 && burst === 0) return undefined;
  if (rate === 0 || burst === 0) {
    throw new CniError(
      7,
      `invalid bandwidth: ${way}Rate ${rate} with ${way}Burst ${burst}`,
      'both limits of a direction are given, or neither',
    );
  }
  if (rate < 8) throw new CniError(7, `invalid bandwidth: ${way}Rate ${rate}`, 'at least 8 bits a second');
  if (burst > MOST_BURST_BITS)
    throw new CniError(7, `invalid bandwidth: ${way}Burst ${burst}`, 'at most 4 GB, in bits');
  return { bitsPerSecond: rate, burstBits: burst };
}
