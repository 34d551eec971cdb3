/**
 * The state that an OCI runtime hands to a hook on standard input (runtime-spec, "State"), with what runtimes make of it: runc leaves
 * `pid` out once the container has stopped, crun says 0, and annotations may stand in the bundle alone.
 */
import path from 'node:path';
import { TsnetError } from '../../model/error.ts';
import type { JsonObject, JsonValue } from '../../model/records.ts';
import type { Annotations } from './annotations.ts';

export interface ContainerState {
  readonly id: string;
  /** "creating" and "created" before its program runs, "running", "stopped". */
  readonly status: string;
  /** Absent once it has stopped. */
  readonly pid?: number;
  readonly annotations: Annotations;
}

/** @param readFile a file's text; throws where there is none. @throws TsnetError INVALID */
export function readState(text: string, readFile: (path: string) => string): ContainerState {
  const state = parse(text, 'the state on standard input');
  const { id, status, pid, bundle } = state;
  if (typeof id !== 'string' || id === '') throw invalid('the state on standard input has no id');
  if (typeof status !== 'string') throw invalid('the state on standard input has no status');
  const annotations = textsOf(state['annotations']);
  const isTold = Object.keys(annotations).some((key) => key.startsWith('tsnet.'));
  return {
    id,
    status,
    ...(typeof pid === 'number' && Number.isInteger(pid) && pid > 0 ? { pid } : {}),
    annotations:
      isTold || typeof bundle !== 'string' || status === 'stopped' ? annotations : ofBundle(bundle, readFile),
  };
}

function ofBundle(bundle: string, readFile: (path: string) => string): Annotations {
  const file = path.join(bundle, 'config.json');
  let text: string;
  try {
    text = readFile(file);
  } catch {
    // The state says what there is.
    return {};
  }
  return textsOf(parse(text, file)['annotations']);
}

function parse(text: string, what: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw invalid(`${what} is not JSON`);
  }
  return isObject(value) ? value : invalidly(`${what} is not a JSON object`);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textsOf(value: JsonValue | undefined): Annotations {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function invalid(why: string): TsnetError {
  return new TsnetError('INVALID', `oci-hook: ${why}; an OCI runtime calls this as createRuntime and poststop hook`);
}

function invalidly(why: string): never {
  throw invalid(why);
}
