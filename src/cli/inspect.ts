/** `tsnet inspect`: networks in full, in the JSON of the Docker Engine API. */
import type { DockerNetwork } from '../engine/docker-network.ts';
import { TsnetError } from '../model/error.ts';
import type { CliContext } from './context.ts';
import { TEMPLATE_STATUS, UsageError } from './errors.ts';
import { explained } from './format.ts';
import { compileTemplate, type Template } from './go-template/template.ts';
import { fromJson } from './go-template/value.ts';
import { networkStruct } from './network-struct.ts';
import type { DefineVerb } from './verbs.ts';

interface InspectOptions {
  readonly format?: string;
}

export const define: DefineVerb = (command, context) => {
  command
    .argument('<network...>', 'names or ids')
    .option('-f, --format <format>', 'json or a Go template')
    .option('-v, --verbose', 'as in Docker; without effect on one host')
    .action((references: string[], options: InspectOptions) => inspect(references, options, context));
};

async function inspect(
  references: readonly string[],
  { format = '' }: InspectOptions,
  context: CliContext,
): Promise<void> {
  const render = renderer(format);
  const engine = await context.engine();
  const found: DockerNetwork[] = [];
  const errors: unknown[] = [];
  for (const reference of references) {
    try {
      found.push(await engine.inspectNetwork(reference));
    } catch (error) {
      errors.push(error);
    }
  }
  // Found ones first, then the errors: a script reads the one, a person the other.
  context.write(render(found));
  for (const error of errors) context.report(error);
}

function renderer(format: string): (networks: readonly DockerNetwork[]) => string {
  if (format === '') return (networks) => `${JSON.stringify(networks, undefined, 4)}\n`;
  if (format === 'json') return (networks) => `${JSON.stringify(networks)}\n`;
  const template = compile(format);
  return (networks) =>
    networks.length === 0 ? '\n' : networks.map((network) => `${renderOne(template, network)}\n`).join('');
}

function compile(format: string): Template {
  try {
    return explained(() => compileTemplate(format));
  } catch (error) {
    if (error instanceof TsnetError) throw new UsageError(error.message, TEMPLATE_STATUS);
    throw error;
  }
}

/** As Docker: by the fields of its Go type, and where that fails by the names of the JSON. */
function renderOne(template: Template, network: DockerNetwork): string {
  try {
    return template.render(networkStruct(network));
  } catch {
    return explained(() => template.render(fromJson(network), { missingKeyIsError: true }));
  }
}
