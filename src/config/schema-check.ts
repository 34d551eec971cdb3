/**
 * Checks the shape of daemon.json against `config/daemon.schema.json`.
 *
 * Compiling a schema costs more than everything else that `tsnet ls` does together, so the build replaces this module by
 * the code that ajv writes for the schema (`compile-schema.js`); run from the sources it compiles at the first use.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import schema from '../../config/daemon.schema.json' with { type: 'json' };

let validate: ValidateFunction | undefined;

/** Everything that is wrong with the shape of `file`; empty when nothing is. */
export function schemaFaults(file: unknown): readonly ErrorObject[] {
  // Formats are for editors; `check-values.ts` parses every address and says more when one is wrong.
  validate ??= new Ajv({ allErrors: true, validateFormats: false }).compile(schema);
  return validate(file) ? [] : (validate.errors ?? []);
}
