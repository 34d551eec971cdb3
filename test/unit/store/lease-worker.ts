/**
 * A process of its own that leases addresses; started by tests, bundled by `worker.ts`.
 *
 * argv: data-root, exec-root, the network's name, how many leases, and what to do:
 * `finish`: lease them, print them, end. `die`: be killed inside the last transaction. `loop`: go on for ever, a line a lease.
 */
import { randomUUID } from 'node:crypto';
import { chooseAddress } from '../../../src/ipam/choose-address.ts';
import type { Ledger } from '../../../src/model/ledger.ts';
import type { Pool } from '../../../src/model/records.ts';
import { openLedger } from '../../../src/store/ledger.ts';
import { idOf, sandbox } from './records.ts';

const [dataRoot = '', execRoot = '', network = '', count = '', how = 'finish'] = process.argv.slice(2);
const networkId = idOf(`network ${network}`);
const pools: Pool[] = [{ subnet: '10.0.0.0/16', gateway: '10.0.0.1', aux: {} }];

function lease(ledger: Ledger, beforeCommit: () => void): string {
  return ledger.change((change) => {
    const { address } = chooseAddress({ network, pools, family: 4, leases: change.leasesFor(networkId, 4) });
    const holder = sandbox(`box-${randomUUID()}`);
    change.putSandbox(holder);
    change.holdAddress(networkId, address, { kind: 'endpoint', endpointId: holder.id }, 'dynamic');
    beforeCommit();
    return address;
  });
}

async function leaseMany(total: number): Promise<void> {
  const ledger = openLedger({ dataRoot, execRoot });
  for (let done = 0; done < total; done++) {
    const isLast = how === 'die' && done === total - 1;
    const address = lease(ledger, () => {
      if (isLast) process.kill(process.pid, 'SIGKILL');
    });
    process.stdout.write(`${address}\n`);
  }
  await ledger.close();
}

await leaseMany(how === 'loop' ? Infinity : Number(count));
