/** Reads daemon.json: bytes in, a JSON object out, or the line and column where it goes wrong. */
import { readFileSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';
import type { JsonObject } from '../model/records.ts';
import { findJsonFault } from './json-position.ts';

/**
 * The object in `path`; undefined when there is no such file. An empty file is an empty object.
 *
 * @throws TsnetError CONFIG when it cannot be read, or is not a JSON object
 */
export function readDaemonFile(path: string): JsonObject | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    throw new TsnetError('CONFIG', `read ${path}: ${String(code ?? error)}`, { cause: error });
  }
  return parseDaemonFile(path, bytes);
}

export function parseDaemonFile(path: string, bytes: Uint8Array): JsonObject {
  const text = decode(path, bytes);
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fault = findJsonFault(text);
    const where = fault === undefined ? '' : `:${fault.line}:${fault.column}`;
    throw new TsnetError('CONFIG', `${path}${where}: not JSON: ${fault?.reason ?? String(error)}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TsnetError('CONFIG', `${path}: expected a JSON object such as {"mtu": 1400}`);
  }
  return value as JsonObject;
}

/** As Docker: UTF-8 or UTF-16, told apart by the byte order mark. */
function decode(path: string, bytes: Uint8Array): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw new TsnetError('CONFIG', `${path}: not ${encoding.toUpperCase()} text; save it as UTF-8`, { cause: error });
  }
}
