import type { Plugin } from 'esbuild';

/** Replaces `schema-check.ts` by the validator that ajv writes for the schema. */
export function compiledSchema(): Plugin;
