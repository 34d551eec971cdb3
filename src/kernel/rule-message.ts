/**
 * Policy rules in rtnetlink's words: `struct fib_rule_hdr` and the FRA_ attributes (include/uapi/linux/fib_rules.h).
 */
import type { Family } from '../model/records.ts';
import { ROUTE_PROTOCOL, type RuleResource } from '../plan/resource.ts';
import { addressFamily, addressText, prefixBytes } from './address-bytes.ts';
import { attribute, readAttributes, u32Attribute, u32Of, u8Attribute } from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const HEADER_BYTES = 12;
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_TABLE = 15;
const FRA_PROTOCOL = 21;
const FR_ACT_TO_TBL = 1;

/** What tells a rule of ours. */
export type WantedRule = Pick<RuleResource, 'family' | 'from' | 'table' | 'priority'>;

/** Fails with EEXIST if the same rule is there, whoever made it. */
export function addRule(rule: WantedRule): NetlinkRequest {
  return { type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, payload: rulePayload(rule) };
}

/** Deletes the rule only if its protocol number says that it is ours. */
export function deleteRule(rule: WantedRule): NetlinkRequest {
  return { type: RTM_DELRULE, payload: rulePayload(rule) };
}

export function dumpRules(family: Family): NetlinkRequest {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt8(addressFamily(family), 0);
  return { type: RTM_GETRULE, payload: head };
}

function rulePayload(rule: WantedRule): Buffer {
  const from = prefixBytes(rule.from);
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt8(addressFamily(rule.family), 0);
  head.writeUInt8(from.length, 2);
  head.writeUInt8(FR_ACT_TO_TBL, 7);
  return Buffer.concat([
    head,
    attribute(FRA_SRC, from.bytes),
    u32Attribute(FRA_PRIORITY, rule.priority),
    u32Attribute(FRA_TABLE, rule.table),
    u8Attribute(FRA_PROTOCOL, ROUTE_PROTOCOL),
  ]);
}

export function parseRule(payload: Buffer): WantedRule {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  const family: Family = payload.readUInt8(0) === addressFamily(4) ? 4 : 6;
  const from = attributes.get(FRA_SRC) ?? Buffer.alloc(family === 4 ? 4 : 16);
  return {
    family,
    from: `${addressText(from)}/${payload.readUInt8(2)}`,
    table: u32Of(attributes, FRA_TABLE) ?? payload.readUInt8(4),
    priority: u32Of(attributes, FRA_PRIORITY) ?? 0,
  };
}
