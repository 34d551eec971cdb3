/**
 * Firewall intents → iptables rules: the one table of them. Which chain is for what: `base.ts`.
 */
import type { FirewallResource } from '../../plan/resource.ts';
import { branchRules, hairpinRules, iccRules, internalRules, isolateRules, masqueradeRules } from './network-rules.ts';
import { publishRules } from './publish-rules.ts';
import type { Rule } from './rule.ts';
import { vtepGuardRules, vtepRules } from './vtep-rules.ts';

/** The rules of one intent, in an order in which they may be added one by one. */
export function rulesOf(intent: FirewallResource): Rule[] {
  switch (intent.kind) {
    case 'isolate':
      return isolateRules(intent);
    case 'internal':
      return internalRules(intent);
    case 'icc':
      return iccRules(intent);
    case 'masquerade':
      return masqueradeRules(intent);
    case 'hairpin':
      return hairpinRules(intent);
    case 'branch':
      return branchRules(intent);
    case 'publish':
      return publishRules(intent);
    case 'vtep-guard':
      return vtepGuardRules(intent);
    case 'vtep':
      return vtepRules(intent);
  }
}
