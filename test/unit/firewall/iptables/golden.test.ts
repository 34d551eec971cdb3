import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { completion } from '../../../../src/firewall/iptables/complete.ts';
import { rulesOf } from '../../../../src/firewall/iptables/intent-rules.ts';
import { restoreText } from '../../../../src/firewall/iptables/restore.ts';
import { distinct } from '../../../../src/firewall/iptables/rule.ts';
import { CASES, type Case } from '../cases.ts';
import { fakeIptables } from './fake-iptables.ts';

/** The golden file of a case: everything there is after its intents were ensured on an empty host. */
function page({ title, intents }: Case): string {
  const fake = fakeIptables();
  const parts = ([4, 6] as const).map((family) => {
    const rules = distinct(intents.filter((intent) => intent.family === family).flatMap(rulesOf));
    if (rules.length === 0) return '';
    fake.restore(family, restoreText(completion(new Map(), family, rules)));
    return `\n# ${family === 4 ? 'iptables-save' : 'ip6tables-save'}\n${fake.save(family)}`;
  });
  return `# ${title}\n${parts.join('')}`;
}

describe('the rules of', () => {
  it.each(CASES)('$name', async (which) => {
    await expect(page(which)).toMatchFileSnapshot(path.join(import.meta.dirname, 'golden', `${which.name}.txt`));
  });
});
