/**
 * Addresses of links: of the bridge on the host, of eth0 in a sandbox.
 */
import type { Observation } from '../plan/kernel.ts';
import type { AddressResource, Place } from '../plan/resource.ts';
import { networkOf } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';
import { addressText, prefixBytes, type PrefixBytes } from './address-bytes.ts';
import { addAddress, deleteAddress, dumpAddresses, parseAddress, type LinkAddress } from './address-message.ts';
import { byPlace, type Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { observePlaces } from './observe-places.ts';
import { connectedKey, type Scene } from './scene.ts';
import { take, tryAll, type Step } from './steps.ts';

export const addressExecutor: Executor<'address'> = {
  async ensure(resources, scene) {
    for (const [place, addresses] of byPlace(resources)) await ensureIn(place, addresses, scene);
  },

  async remove(resources, scene) {
    const failures: TsnetError[] = [];
    for (const [place, addresses] of byPlace(resources)) {
      const socket = await scene.socketIfThere(place);
      if (socket === undefined) continue;
      const indices = await scene.linkIndices(
        place,
        addresses.map(({ link }) => link),
      );
      const steps = addresses.flatMap((resource): Step[] => {
        const index = indices.get(resource.link);
        if (index === undefined) return [];
        const attempt = `delete address ${resource.address} of ${resource.link} in ${scene.describe(place)}`;
        return [{ attempt, request: deleteAddress(index, prefixBytes(resource.address)) }];
      });
      failures.push(...(await tryAll(socket, steps, ['EADDRNOTAVAIL', 'ENODEV'])));
    }
    return failures;
  },

  observe: (resources, scene) =>
    observePlaces(resources, scene, async (place, addresses) => {
      const indices = await scene.linkIndices(
        place,
        addresses.map(({ link }) => link),
      );
      const observations: Observation[] = [];
      for (const resource of addresses) {
        const index = indices.get(resource.link);
        const held = index === undefined ? [] : await snapshotOf(place, resource, index, scene);
        observations.push(compare(resource, held));
      }
      return observations;
    }),
};

async function ensureIn(place: Place, addresses: readonly AddressResource[], scene: Scene): Promise<void> {
  const indices = await scene.linkIndices(
    place,
    addresses.map(({ link }) => link),
  );
  for (const { link, address } of addresses) {
    const attempt = `add address ${address} to ${link} in ${scene.describe(place)}`;
    const index = indices.get(link);
    if (index === undefined) throw new TsnetError('KERNEL', `cannot ${attempt}: there is no such link`);
    const prefix = prefixBytes(address);
    const routes: Step[] = [];
    scene.connected.set(connectedKey(place, link, networkOf(address)), routes);
    const onRefusal: Step['onRefusal'] = async (refusal) => {
      if (refusal.code !== 'EEXIST') throw refused(attempt, refusal);
      const socket = await scene.socket(place);
      // An IPv4 address exists with this prefix length; an IPv6 one may have another, which would take its subnet's route away.
      const verdict = prefix.family === 4 ? 'fine' : await correctLength(socket, { attempt, index, prefix });
      await take(socket, routes);
      return verdict;
    };
    scene.post(place, [{ attempt, request: addAddress(index, prefix), onRefusal }]);
  }
}

async function correctLength(
  socket: NetlinkSocket,
  { attempt, index, prefix }: { attempt: string; index: number; prefix: PrefixBytes },
): Promise<'fine' | 'mended'> {
  const text = addressText(prefix.bytes);
  const wrong = (await addressesOf(socket, 6, index)).filter(
    ({ address, length }) => address === text && length !== prefix.length,
  );
  if (wrong.length === 0) return 'fine';
  await take(socket, [
    ...wrong.map(({ length }) => ({ attempt, request: deleteAddress(index, { ...prefix, length }) })),
    { attempt, request: addAddress(index, prefix) },
  ]);
  return 'mended';
}

async function addressesOf(socket: NetlinkSocket, family: Family, link: number): Promise<LinkAddress[]> {
  const entries = (await socket.dump(dumpAddresses(family, link))).map(parseAddress);
  return entries.filter((entry) => entry.family === family && entry.link === link);
}

async function snapshotOf(
  place: Place,
  { address }: AddressResource,
  link: number,
  scene: Scene,
): Promise<readonly LinkAddress[]> {
  const { family } = prefixBytes(address);
  const socket = await scene.socket(place);
  return scene.snapshot(place, `addresses of ${link}, IPv${family}`, () => addressesOf(socket, family, link));
}

function compare(resource: AddressResource, held: readonly LinkAddress[]): Observation {
  const { bytes, length } = prefixBytes(resource.address);
  const same = held.filter(({ address }) => address === addressText(bytes));
  if (same.some((entry) => entry.length === length)) return { resource, state: 'present' };
  const [other] = same;
  if (other === undefined) return { resource, state: 'missing' };
  return {
    resource,
    state: 'wrong',
    detail: `${resource.link} has ${other.address}/${other.length} instead of ${resource.address}`,
  };
}
