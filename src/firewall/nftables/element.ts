/**
 * One element of a set or map, as data. Its parts are texts in one spelling, so that to compare the kernel with a plan is to
 * compare strings: addresses as RFC 5952 has them, subnets "172.17.0.0/16", ports "80" and "7000-7010", protocols by name.
 */
import { TABLE, setLayout, type PartType, type SetName } from './table.ts';

export interface Element {
  readonly set: SetName;
  readonly key: readonly string[];
  /** Maps only: what the key leads to. */
  readonly value?: readonly string[];
}

const PROTOCOL_NUMBERS: Readonly<Record<string, string>> = { tcp: '6', udp: '17', sctp: '132' };

export const joined = (parts: readonly string[]): string => parts.join(' . ');

/** `tcp . 8080 : 172.17.0.2 . 80` */
export function elementText({ key, value }: Element): string {
  return value === undefined ? joined(key) : `${joined(key)} : ${joined(value)}`;
}

/** Reads `elementText` back. */
export function parseElement(set: SetName, text: string): Element {
  const [key = '', value] = text.split(' : ');
  const parts = (side: string): string[] => side.split(' . ');
  return { set, key: parts(key), ...(value === undefined ? {} : { value: parts(value) }) };
}

/** What tells elements of a table apart: an address in `ports4` has one destination. */
export function identity({ set, key }: Element): string {
  return `${set} ${joined(key)}`;
}

/** Without repetition: two subnets of one bridge ask for some elements twice. */
export function distinct(elements: readonly Element[]): Element[] {
  return [...new Map(elements.map((element) => [identity(element), element])).values()];
}

/** As nft(8) reads it. Protocols by number: their names would need /etc/protocols, which small hosts lack. */
function spelled(parts: readonly string[], types: readonly PartType[]): string {
  return joined(
    parts.map((part, index) => {
      if (types[index] === 'ifname') return `"${part}"`;
      if (types[index] === 'inet_proto') return PROTOCOL_NUMBERS[part] ?? part;
      return part;
    }),
  );
}

function spelledElement({ set, key, value }: Element): string {
  const layout = setLayout(set);
  const left = spelled(key, layout.key);
  return value === undefined || layout.value === undefined ? left : `${left} : ${spelled(value, layout.value)}`;
}

/** `add element …` or `delete element …` commands: one a set, in the order of the elements. */
export function elementCommands(verb: 'add' | 'delete', elements: readonly Element[]): string {
  const bySet = new Map<SetName, Element[]>();
  for (const element of elements) {
    const some = bySet.get(element.set);
    if (some === undefined) bySet.set(element.set, [element]);
    else some.push(element);
  }
  return [...bySet]
    .map(([set, some]) => `${verb} element ${TABLE} ${set} { ${some.map(spelledElement).join(', ')} }\n`)
    .join('');
}
