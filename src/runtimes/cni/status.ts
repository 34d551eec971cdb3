/** STATUS: whether an ADD can work now. */
import { TsnetError } from '../../model/error.ts';
import { delegated, type CniCall } from './call.ts';
import { CniError } from './cni-error.ts';
import { networkRequest } from './network-request.ts';

export async function status(call: CniCall): Promise<undefined> {
  const { engine, config } = call;
  try {
    // Opens what an ADD needs: the ledger, the kernel, the firewall.
    await engine.info();
  } catch (error) {
    throw notNow(error);
  }
  const network = await engine.findNetwork(config.network);
  if (network === undefined && networkRequest(config, []) === undefined) {
    throw new CniError(50, `network ${config.network} not found`, `make it with tsnet create ${config.network}`);
  }
  await delegated(call);
  return undefined;
}

function notNow(error: unknown): CniError {
  const code = error instanceof TsnetError ? `${error.code}: ` : '';
  return new CniError(50, `tsnet cannot work: ${code}${error instanceof Error ? error.message : String(error)}`);
}
