/**
 * The configuration of one plugin of a list, as it comes on standard input.
 *
 * Read in two steps: what every command needs (`readPlugin`), and what only ADD, CHECK and STATUS do (`network-request.ts`,
 * `attachment-request.ts`), so that a DEL works with a configuration that an ADD would refuse.
 */
import type { JsonObject } from '../../model/records.ts';
import { CniError } from './cni-error.ts';
import { fieldsOf, objectAt, parseObject, rawObjectAt, textAt, type Fields } from './fields.ts';
import { linkNameProblem, NAME, type Invocation } from './invocation.ts';
import { readVersion, type CniVersion } from './spec-version.ts';

export interface PluginConfig {
  readonly version: CniVersion;
  /** Name of the CNI network. */
  readonly name: string;
  /** The tsnet network: `network`, else one that is named after the CNI network. */
  readonly network: string;
  /** Name of the interface in the container: `interface`, else what the runtime says. */
  readonly interfaceName: string;
  /** The IPAM plugin that gives the addresses, where it is not tsnet itself. */
  readonly delegate?: string;
  /** All of it. */
  readonly fields: Fields;
  readonly prevResult?: JsonObject;
}

/** Names of `ipam.type` that mean tsnet. */
const OURS = ['tsnet', 'tsnet-cni'];

/** The version that a configuration says, before anything else of it is looked at. @throws CniError 1, 6 */
export function readConfig(text: string): { readonly fields: Fields; readonly version: CniVersion } {
  const fields = fieldsOf(parseObject(text), '');
  return { fields, version: readVersion(textAt(fields, 'cniVersion')) };
}

/** @throws CniError 6, 7 */
export function readPlugin(
  { fields, version }: ReturnType<typeof readConfig>,
  { interfaceName }: Invocation,
): PluginConfig {
  const name = textAt(fields, 'name');
  if (name === undefined) throw new CniError(7, 'the configuration has no name of the network');
  if (!NAME.test(name)) {
    throw new CniError(
      7,
      `invalid network name: ${JSON.stringify(name)}`,
      'expected letters, digits, "_", "." and "-", a letter or digit first',
    );
  }
  const own = textAt(fields, 'interface');
  const why = own === undefined ? undefined : linkNameProblem(own);
  if (why !== undefined) throw new CniError(7, `invalid interface: ${JSON.stringify(own)}`, why);
  const delegate = delegateOf(fields);
  const prevResult = rawObjectAt(fields, 'prevResult');
  return {
    version,
    name,
    network: textAt(fields, 'network') ?? name,
    interfaceName: own ?? interfaceName,
    ...(delegate === undefined ? {} : { delegate }),
    fields,
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

/** The foreign IPAM plugin that a configuration names. @throws CniError 7 */
export function delegateOf(fields: Fields): string | undefined {
  const type = textAt(objectAt(fields, 'ipam'), 'type');
  if (type === undefined || OURS.includes(type)) return undefined;
  if (/[/\u0000]/.test(type) || type === '.' || type === '..') {
    throw new CniError(7, `invalid ipam.type: ${JSON.stringify(type)}`, 'expected the file name of a plugin');
  }
  return type;
}
