/** Options that several verbs share, and how their values are read. */
import { isAddress, parseInterface } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { NetworkFilters } from '../engine/engine.ts';

/** For repeatable options: every value in the order given. */
export function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}

/** For repeatable options that also split at commas, as Docker's address lists do. */
export function collectList(value: string, earlier: readonly string[] = []): string[] {
  const values = value.split(',').map((each) => each.trim());
  if (values.includes('')) throw new InvalidArgumentError('An empty value is in the list.');
  return [...earlier, ...values];
}

/** For repeatable `key=value` options; no `=` gives an empty value, a later key replaces an earlier one. */
export function collectPairs(value: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [key, text] = splitPair(value);
  if (key === '') throw new InvalidArgumentError('Expected KEY=VALUE.');
  return { ...earlier, [key]: text };
}

/** `--ip 10.0.0.5` */
export function address(value: string): string {
  if (!isAddress(value)) throw new InvalidArgumentError('Expected an IP address.');
  return value;
}

/** For repeatable lists of addresses. */
export function addressList(value: string, earlier: readonly string[] = []): string[] {
  return collectList(value, earlier).map(address);
}

/** For repeatable lists of subnets. */
export function interfaceAddressList(value: string, earlier: readonly string[] = []): string[] {
  const values = collectList(value, earlier);
  for (const each of values) {
    try {
      parseInterface(each);
    } catch (error) {
      if (error instanceof TsnetError) throw new InvalidArgumentError(`${error.message}.`);
      throw error;
    }
  }
  return values;
}

/** `--aux-address NAME=IP`; as in Docker, one without an address says nothing. */
export function pairsOfAddresses(
  value: string,
  earlier: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const [name, text] = splitPair(value);
  return text === '' && name !== '' ? { ...earlier } : collectPairs(`${name}=${address(text)}`, earlier);
}

/** Labels: the key holds no blanks. */
export function collectLabels(value: string, earlier: Readonly<Record<string, string>> = {}): Record<string, string> {
  if (/\s/.test(splitPair(value)[0])) throw new InvalidArgumentError('The key of a label has no blanks.');
  return collectPairs(value, earlier);
}

/** `--filter KEY=VALUE`: the key in lower case, values of one key side by side. */
export function collectFilters(value: string, earlier: NetworkFilters = {}): NetworkFilters {
  if (!value.includes('=')) throw new InvalidArgumentError('Expected KEY=VALUE.');
  const [name, text] = splitPair(value);
  // `label!=x` has its mark before the sign.
  const key = name.trim().toLowerCase();
  return { ...earlier, [key]: [...(earlier[key] ?? []), text.trim()] };
}

export function wholeNumber(value: string): number {
  const number = Number(value);
  if (!/^[+-]?\d+$/.test(value) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('Expected a whole number.');
  return number;
}

/** `--dry-run`, and `--format json` for what it prints. */
export function addDryRun(command: Command): Command {
  return command.option('--dry-run', 'print what would be done and change nothing').addOption(jsonFormat());
}

/** `--format`, where json is the only choice besides text for people. */
export function jsonFormat(): Option {
  return new Option('--format <format>', 'how to print').choices(['text', 'json']);
}

function splitPair(pair: string): [key: string, value: string] {
  const sign = pair.indexOf('=');
  return sign === -1 ? [pair, ''] : [pair.slice(0, sign), pair.slice(sign + 1)];
}
