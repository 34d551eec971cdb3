/**
 * Build step: an esbuild plugin that replaces `schema-check.ts` by a validator which ajv wrote out in full, so that the
 * bundle neither carries ajv's compiler nor spends time compiling.
 */
import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';

const schemaFile = new URL('../../config/daemon.schema.json', import.meta.url);

/** The same options as in `schema-check.ts`. */
async function validatorSource() {
  const schema = JSON.parse(await readFile(schemaFile, 'utf8'));
  const ajv = new Ajv({ allErrors: true, validateFormats: false, code: { source: true, esm: true } });
  const code = standalone.default(ajv, ajv.compile(schema));
  return `${code}\nexport function schemaFaults(file) { return validate(file) ? [] : (validate.errors ?? []); }\n`;
}

/** @returns {import('esbuild').Plugin} */
export function compiledSchema() {
  return {
    name: 'compiled-schema',
    setup(build) {
      build.onLoad({ filter: /[\\/]src[\\/]config[\\/]schema-check\.ts$/ }, async ({ path }) => ({
        contents: await validatorSource(),
        loader: 'js',
        resolveDir: new URL('.', `file://${path}`).pathname,
      }));
    },
  };
}
