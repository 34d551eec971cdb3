import { distinct, elementText } from '../../../../src/firewall/nftables/element.ts';
import { elementsOf } from '../../../../src/firewall/nftables/intent-elements.ts';
import { SET_NAMES } from '../../../../src/firewall/nftables/table.ts';
import type { Case } from '../cases.ts';

/** Set by set what a case's intents put into the table: "ports4 { tcp . 8080 : 172.17.0.4 . 80 }". */
export function elementPage({ title, intents }: Case): string {
  const elements = distinct(intents.flatMap(elementsOf));
  const sets = SET_NAMES.map((set) => {
    const some = elements.filter((element) => element.set === set).map(elementText);
    return some.length === 0 ? '' : `${set}\n${some.map((one) => `    ${one}\n`).join('')}`;
  });
  return `# ${title}\n${sets.join('')}`;
}
