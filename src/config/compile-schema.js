/**
 * Build step: an esbuild plugin that replaces `schema-check.ts` by a validator which ajv wrote out in full, so that the
 * bundle neither carries ajv's compiler nor spends time compiling, and that keeps of the schema what the program reads.
 */
import { readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';

const schemaFile = new URL('../../config/daemon.schema.json', import.meta.url);

async function readSchema() {
  return JSON.parse(await readFile(schemaFile, 'utf8'));
}

/** The same options as in `schema-check.ts`. Nothing of it is evaluated before there is a file to check. */
async function validatorSource() {
  const ajv = new Ajv({ allErrors: true, validateFormats: false, code: { source: true } });
  const code = standalone.default(ajv, ajv.compile(await readSchema()));
  return `
    let validate;
    function evaluate() {
      const module = {};
      ${code}
      return module.exports;
    }
    export function schemaFaults(file) {
      validate ??= evaluate();
      return validate(file) ? [] : (validate.errors ?? []);
    }
  `;
}

/** What `daemon-file.ts` asks about a key. */
async function keysOfSchema() {
  const { properties } = await readSchema();
  const keys = Object.entries(properties).map(([key, { $ref, $comment, description }]) => [
    key,
    $comment === 'without effect' ? { $comment, description } : { $ref },
  ]);
  return JSON.stringify({ properties: Object.fromEntries(keys) });
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
      build.onLoad({ filter: /[\\/]config[\\/]daemon\.schema\.json$/ }, async () => ({
        contents: await keysOfSchema(),
        loader: 'json',
      }));
    },
  };
}
