/**
 * `-o` values, checked against the driver's schema and typed, once.
 */
import { TsnetError } from '../model/error.ts';
import { nearestName } from '../model/names.ts';
import type { JsonObject, JsonValue } from '../model/records.ts';
import type { Driver } from '../plan/driver.ts';

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True', ''];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function properties(driver: Driver): Readonly<Record<string, JsonObject>> {
  return driver.options['properties'] as Readonly<Record<string, JsonObject>>;
}

/** The schema of options that the driver does not know by name, where it takes any: a plugin's. */
function others(driver: Driver): JsonObject | undefined {
  const schema = driver.options['additionalProperties'];
  return typeof schema === 'object' ? (schema as JsonObject) : undefined;
}

/** Text as the schema's type; what cannot be read as that type stays text, for the schema to refuse. Booleans as Go reads them. */
function typed(text: string, type: JsonValue | undefined): JsonValue {
  if (type === 'boolean') {
    if (TRUE.includes(text)) return true;
    if (FALSE.includes(text)) return false;
  }
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  return text;
}

export async function parseOptions(
  driver: Driver,
  given: Readonly<Record<string, string>>,
  act: string,
): Promise<JsonObject> {
  const known = properties(driver);
  const values: Record<string, JsonValue> = {};
  for (const [name, text] of Object.entries(given)) {
    const ours = driver.aliases[name] ?? name;
    const schema = known[ours] ?? others(driver);
    if (schema === undefined) {
      const near = nearestName(name, [...Object.keys(known), ...Object.keys(driver.aliases)]);
      throw new TsnetError(
        'INVALID',
        `${act}: driver ${driver.name} has no option "${name}"; ${near === undefined ? `options: ${Object.keys(known).join(', ') || 'none'}` : `did you mean "${near}"?`}`,
      );
    }
    values[ours] = typed(text, schema['type']);
  }
  if (Object.keys(values).length === 0) return values;
  // Loaded only when somebody gives options: it costs as much as a start of Node.js.
  const { Ajv } = await import('ajv');
  const validate = new Ajv({ strict: false, allErrors: true }).compile(driver.options);
  if (!validate(values)) {
    const [error] = validate.errors ?? [];
    const ours = (error?.instancePath ?? '').slice(1).replaceAll('~1', '/');
    const name = Object.keys(given).find((typedName) => (driver.aliases[typedName] ?? typedName) === ours) ?? ours;
    throw new TsnetError(
      'INVALID',
      `${act}: option ${name}=${given[name] ?? ''}: ${error?.message ?? 'not valid'}${expectation(error?.params)}`,
    );
  }
  return values;
}

function expectation(params: unknown): string {
  const allowed = (params as { readonly allowedValues?: readonly unknown[] } | undefined)?.allowedValues;
  return allowed === undefined ? '' : ` (${allowed.join(', ')})`;
}
