/** One lease of an address, recorded, where ten are held and where sixty thousand are. */
import { chooseAddress } from '../../src/ipam/choose-address.ts';
import { openLedger } from '../../src/store/ledger.ts';
import type { Group, Row } from '../group.ts';

const FEW = 10;
const MANY = 60_000;
const RUNS = 500;
const POOLS = [{ subnet: '10.30.0.0/16', gateway: '10.30.0.1', aux: {} }] as const;

function measure(dir: string): Row[] {
  const ledger = openLedger({ dataRoot: dir, execRoot: '/run/tsnet' });
  const lease = (network: string, count = 1): number => {
    const started = performance.now();
    ledger.change((change) => {
      for (let held = 0; held < count; held += 1) {
        const leases = change.leasesFor(network, 4);
        const { address } = chooseAddress({ network, pools: POOLS, family: 4, leases });
        change.holdAddress(network, address, { kind: 'endpoint', endpointId: 'e' }, 'dynamic');
      }
    });
    return (performance.now() - started) * 1000;
  };
  lease('few', FEW);
  lease('many', MANY);
  const [few, many]: [number[], number[]] = [[], []];
  for (let run = 0; run < RUNS; run += 1) {
    many.push(lease('many'));
    few.push(lease('few'));
  }
  const held = (count: number): string => `${count.toLocaleString('en')} held`;
  return [
    {
      name: `lease at ${held(MANY)}`,
      ours: many,
      peer: few,
      peerName: `at ${held(FEW)}`,
      unit: 'µs',
      promise: { atMost: 1.5 },
    },
  ];
}

export const leases: Group = { name: 'leases', measure: (dir) => Promise.resolve(measure(dir)) };
