import type { CallPlugin } from '../../../src/docker-plugins/plugin-call.ts';
import type { JsonObject } from '../../../src/model/records.ts';

/** A plugin that answers as told, `{}` otherwise and 404 to what is undefined, and remembers what it was asked. */
export function fakePlugin(answers: Readonly<Record<string, JsonObject | undefined>>): {
  readonly call: CallPlugin;
  readonly asked: [method: string, request: unknown][];
} {
  const asked: [string, unknown][] = [];
  return {
    asked,
    call: (method, request) => {
      asked.push([method, request]);
      return Promise.resolve(method in answers ? answers[method] : {});
    },
  };
}
