/**
 * What a bridge network decides once, when it is created, and keeps in the ledger.
 */
import { TsnetError } from '../../src/model/error.ts';
import type { Family, JsonObject, JsonValue, Pool } from '../../src/model/records.ts';
import type { ConfigureInput } from '../../src/plan/driver.ts';

/** How traffic of one family leaves and enters; libnetwork's words. */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

export interface BridgeSettings extends JsonObject {
  readonly bridge: string;
  /** The bridge was there before the network and stays after it. */
  readonly adopted: boolean;
  /** Addresses that the network adds to the bridge: "172.17.0.1/16". */
  readonly addresses: readonly string[];
  readonly mac: string;
  readonly mtu: number;
  readonly icc: boolean;
  readonly masquerade: boolean;
  readonly publishAddress: string;
  readonly interfacePrefix: string;
  readonly modeIPv4: GatewayMode;
  readonly modeIPv6: GatewayMode;
  /** SNAT addresses; empty: masquerade. */
  readonly snatIPv4: string;
  readonly snatIPv6: string;
  readonly trustedLinks: readonly string[];
  readonly allowDirect: boolean;
  /** Write the forwarding parameters, or only require them (`ip-forward: false`). */
  readonly forwarding: 'set' | 'require';
}

const DEFAULT_MTU = 1500;
/** Bridge of the predefined network, as docker0 is Docker's. */
const DEFAULT_BRIDGE = 'tsnet0';

export function familyOfPool(pool: Pool): Family {
  return pool.subnet.includes(':') ? 6 : 4;
}

function lengthOf(subnet: string): string {
  return subnet.slice(subnet.indexOf('/') + 1);
}

function text(value: JsonValue | undefined, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function flag(value: JsonValue | undefined, otherwise: boolean): boolean {
  return typeof value === 'boolean' ? value : otherwise;
}

export function configureBridge({ draft, facts, defaults }: ConfigureInput): BridgeSettings {
  const { options } = draft;
  const refuse = (why: string): never => {
    throw new TsnetError('FORBIDDEN', `create network ${draft.name}: ${why}`);
  };

  for (const family of [4, 6] as const) {
    if (draft.pools.filter((pool) => familyOfPool(pool) === family).length > 1) {
      refuse(`a bridge network takes one IPv${family} subnet; make a second network for the other one`);
    }
  }
  const bridge = text(options['bridge.name'], draft.predefined ? DEFAULT_BRIDGE : `tsn-${draft.id.slice(0, 11)}`);
  const link = facts.links.find(({ name }) => name === bridge);
  if (link !== undefined && link.kind !== 'bridge') {
    refuse(`${bridge} exists and is not a bridge; choose another name with -o bridge.name=NAME`);
  }
  // A bridge that carries our tag is left from a run that was cut off, not somebody else's.
  const adopted = link !== undefined && link.alias?.startsWith('tsnet:') !== true;

  const modeIPv4 = text(options['bridge.gateway-mode-ipv4'], 'nat') as GatewayMode;
  const modeIPv6 = text(options['bridge.gateway-mode-ipv6'], 'nat') as GatewayMode;
  if (!draft.internal && (modeIPv4 === 'isolated' || modeIPv6 === 'isolated')) {
    refuse('gateway mode "isolated" needs an internal network; add --internal');
  }
  const addressed = draft.pools.filter((pool) => {
    if (pool.gateway === undefined) return false;
    if (familyOfPool(pool) === 6) return modeIPv6 !== 'isolated';
    return modeIPv4 !== 'isolated' && !flag(options['bridge.inhibit-ipv4'], false);
  });
  return {
    bridge,
    adopted,
    addresses: addressed
      .map((pool) => `${pool.gateway ?? ''}/${lengthOf(pool.subnet)}`)
      .filter((address) => !(adopted && link.addresses.includes(address))),
    mac: `02:42:${(draft.id.slice(0, 8).match(/../g) ?? []).join(':')}`,
    mtu: typeof options['mtu'] === 'number' ? options['mtu'] : defaults.mtu || DEFAULT_MTU,
    icc: flag(options['bridge.icc'], draft.predefined ? defaults.icc : true),
    masquerade: flag(options['bridge.masquerade'], draft.predefined ? defaults.ipMasquerade : true),
    publishAddress: text(options['bridge.host-address'], draft.predefined ? defaults.publishAddress : '0.0.0.0'),
    interfacePrefix: text(options['interface-prefix'], 'eth'),
    modeIPv4,
    modeIPv6,
    snatIPv4: text(options['snat-ipv4'], ''),
    snatIPv6: text(options['snat-ipv6'], ''),
    trustedLinks: text(options['bridge.trusted-interfaces'], '').split(':').filter(Boolean),
    allowDirect: defaults.allowDirectRouting,
    forwarding: defaults.ipForward ? 'set' : 'require',
  };
}
