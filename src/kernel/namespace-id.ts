/**
 * Ids of namespaces (`ip netns list-id`): the host's names for others, by which events from there are told apart. A veth gives
 * one to its peer's namespace; where nothing did, one is asked for. It goes with the namespace and does not keep it alive.
 */
import { closeSync } from 'node:fs';
import type { Netns } from '../model/records.ts';
import { refused } from './kernel-refusal.ts';
import { attribute, readAttributes, u32Attribute } from './netlink-attribute.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { openNetns } from './netns.ts';
import { isGone } from './scene.ts';

const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const RTGENMSG_BYTES = 4;
const NOT_ASSIGNED = -1;

/** Undefined when the namespace is gone. Throws TsnetError. */
export async function namespaceId(host: NetlinkSocket, netns: Netns): Promise<number | undefined> {
  let file: number;
  try {
    file = openNetns(netns);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  try {
    const known = await assigned(host, file);
    if (known !== NOT_ASSIGNED) return known;
    const payload = Buffer.concat([request(file), signed(NETNSA_NSID, NOT_ASSIGNED)]);
    const [outcome] = await host.batch([{ type: RTM_NEWNSID, payload }]);
    // EEXIST: somebody else was faster.
    if (outcome?.refusal !== undefined && outcome.refusal.code !== 'EEXIST') {
      throw refused(`give the network namespace ${netns.path} an id`, outcome.refusal);
    }
    const given = await assigned(host, file);
    return given === NOT_ASSIGNED ? undefined : given;
  } finally {
    closeSync(file);
  }
}

async function assigned(host: NetlinkSocket, file: number): Promise<number> {
  const [outcome] = await host.batch([{ type: RTM_GETNSID, payload: request(file) }]);
  if (outcome?.refusal !== undefined) throw refused('ask for the id of a network namespace', outcome.refusal);
  const reply = outcome?.replies[0];
  if (reply === undefined) return NOT_ASSIGNED;
  return readAttributes(reply.subarray(RTGENMSG_BYTES)).get(NETNSA_NSID)?.readInt32LE(0) ?? NOT_ASSIGNED;
}

function request(file: number): Buffer {
  return Buffer.concat([Buffer.alloc(RTGENMSG_BYTES), u32Attribute(NETNSA_FD, file)]);
}

function signed(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeInt32LE(value, 0);
  return attribute(type, payload);
}
