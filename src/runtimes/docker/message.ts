/**
 * Reading what Docker sends: JSON of which nothing is taken for granted. What is missing is "", {} or []; what is there and is
 * something else is refused.
 */
import { TsnetError } from '../../model/error.ts';
import { isId } from '../../model/ids.ts';

export type Message = Readonly<Record<string, unknown>>;

export function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(key: string, value: unknown, expected: string): never {
  const shown = JSON.stringify(value).slice(0, 80);
  throw new TsnetError('INVALID', `${key} ${shown}: expected ${expected}`);
}

function valueOf(message: Message, key: string): unknown {
  return Object.hasOwn(message, key) ? (message[key] ?? undefined) : undefined;
}

export function textIn(message: Message, key: string): string {
  const value = valueOf(message, key) ?? '';
  return typeof value === 'string' ? value : refuse(key, value, 'a text');
}

/** An id of Docker's: 64 hex digits. */
export function idIn(message: Message, key: string): string {
  const id = textIn(message, key);
  return isId(id) ? id : refuse(key, id, '64 hex digits');
}

export function messageIn(message: Message, key: string): Message {
  const value = valueOf(message, key) ?? {};
  return isMessage(value) ? value : refuse(key, value, 'an object');
}

export function messagesIn(message: Message, key: string): readonly Message[] {
  const value = valueOf(message, key) ?? [];
  return Array.isArray(value) && value.every(isMessage) ? value : refuse(key, value, 'a list of objects');
}

/** Docker writes true and "true". */
export function flagIn(message: Message, key: string): boolean {
  const value = valueOf(message, key) ?? false;
  if (value === true || value === 'true') return true;
  return value === false || value === 'false' || value === '' ? false : refuse(key, value, 'true or false');
}

/** Absent: 0. */
export function portIn(message: Message, key: string): number {
  const value = valueOf(message, key) ?? 0;
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535
    ? value
    : refuse(key, value, 'a port');
}

/** Texts by name; numbers and flags are written out. */
export function textsIn(message: Message, key: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(messageIn(message, key)).map(([name, value]) => {
      if (typeof value === 'string') return [name, value];
      if (typeof value === 'number' || typeof value === 'boolean') return [name, String(value)];
      return refuse(`${key}.${name}`, value, 'a text');
    }),
  );
}
