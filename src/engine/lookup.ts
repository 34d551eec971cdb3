/**
 * From what a person typed to one record: full id, then name, then a unique prefix of an id (Docker's order).
 */
import { TsnetError } from '../model/error.ts';
import { nearestName } from '../model/names.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Endpoint, Network, Sandbox } from '../model/records.ts';
import { refuseSharer } from './sandbox-sharing.ts';

const ID_PREFIX = /^[0-9a-f]{1,64}$/;

function find<R extends { readonly id: string; readonly name: string }>(
  reference: string,
  byId: (id: string) => R | undefined,
  byName: (name: string) => R | undefined,
  all: () => readonly R[],
  what: string,
): R | undefined {
  const exact = (reference.length === 64 ? byId(reference) : undefined) ?? byName(reference);
  if (exact !== undefined || !ID_PREFIX.test(reference)) return exact;
  const matches = all().filter(({ id }) => id.startsWith(reference));
  if (matches.length > 1) {
    throw new TsnetError(
      'AMBIGUOUS',
      `find ${what} ${reference}: ${matches.length} ids start with it (${matches.map(({ name }) => name).join(', ')}); type more of the id, or the name`,
    );
  }
  return matches[0];
}

export function findNetwork(view: LedgerView, reference: string): Network {
  const network = find(
    reference,
    (id) => view.network(id),
    (name) => view.networkByName(name),
    () => view.networks(),
    'network',
  );
  if (network !== undefined) return network;
  const near = nearestName(
    reference,
    view.networks().map(({ name }) => name),
  );
  throw new TsnetError(
    'NOT_FOUND',
    `network ${reference} not found${near === undefined ? '; `tsnet ls` lists them' : `; did you mean "${near}"?`}`,
  );
}

/** The sandbox of the ledger that the reference names, if there is one. */
export function findSandbox(view: LedgerView, reference: string): Sandbox | undefined {
  return find(
    reference,
    (id) => view.sandbox(id),
    (name) => view.sandboxByName(name),
    () => view.sandboxes(),
    'container',
  );
}

export function requireSandbox(view: LedgerView, reference: string): Sandbox {
  const sandbox = findSandbox(view, reference);
  if (sandbox !== undefined) return sandbox;
  const near = nearestName(
    reference,
    view.sandboxes().map(({ name }) => name),
  );
  throw new TsnetError(
    'NOT_FOUND',
    `container ${reference} not found${near === undefined ? '; `tsnet ps` lists them' : `; did you mean "${near}"?`}`,
  );
}

export function findEndpoint(view: LedgerView, network: Network, sandbox: Sandbox): Endpoint | undefined {
  // One that is not on record has none, which is cheaper to see than an empty list.
  if (view.sandbox(sandbox.id) === undefined) return undefined;
  return view.endpointsOfSandbox(sandbox.id).find(({ networkId }) => networkId === network.id);
}

export function requireEndpoint(view: LedgerView, network: Network, sandbox: Sandbox): Endpoint {
  const endpoint = findEndpoint(view, network, sandbox);
  if (endpoint !== undefined) return endpoint;
  refuseSharer(view, sandbox, `find ${sandbox.name} on ${network.name}`);
  const on = view.endpointsOfSandbox(sandbox.id).map(({ networkId }) => view.network(networkId)?.name ?? networkId);
  throw new TsnetError(
    'NOT_FOUND',
    `container ${sandbox.name} is not connected to network ${network.name}; it is on ${on.length > 0 ? on.join(', ') : 'no network'}`,
  );
}

/** Who holds an address, for the message of a refusal. */
export function addressHolder(view: LedgerView, networkId: string, address: string): string {
  const holder = view.lease(networkId, address);
  if (holder?.kind === 'docker') return "Docker's IPAM";
  if (holder?.kind !== 'endpoint') return 'nobody';
  const endpoint = view.endpoint(holder.endpointId);
  const sandbox = endpoint === undefined ? undefined : view.sandbox(endpoint.sandboxId);
  return sandbox === undefined ? `endpoint ${holder.endpointId.slice(0, 12)}` : `container ${sandbox.name}`;
}
