/**
 * Whether the predefined networks are on record and as daemon.json wants them. Every command asks, so this file loads nothing
 * and costs one ledger read; what is missing is made by `predefined.ts`.
 */
import type { Config } from '../model/config.ts';
import type { Ledger } from '../model/ledger.ts';

export interface PredefinedState {
  /** host and none are there. */
  readonly complete: boolean;
  /** The default network is missing, or was made from other keys and nobody is on it. */
  readonly stale: boolean;
  /** The keys of daemon.json that the default network is made from. */
  readonly wanted: string;
}

function defaultNetworkKeys(config: Config): string {
  return JSON.stringify([
    config.bridge,
    config.bip,
    config.bip6,
    config.fixedCidr,
    config.fixedCidrV6,
    config.defaultGateway,
    config.defaultGatewayV6,
    config.ipv6,
    config.mtu,
    config.icc,
    config.ipMasq,
    config.ip,
    config.ipForward,
    config.allowDirectRouting,
  ]);
}

export function predefinedState(ledger: Ledger, config: Config): PredefinedState {
  const wanted = defaultNetworkKeys(config);
  return ledger.read((view) => {
    const bridge = view.networkByName('bridge');
    const differs = config.bridge === 'none' ? bridge !== undefined : bridge?.configuredBy !== wanted;
    return {
      wanted,
      complete: view.networkByName('none') !== undefined && view.networkByName('host') !== undefined,
      stale: differs && (bridge === undefined || !view.hasEndpoints(bridge.id)),
    };
  });
}
