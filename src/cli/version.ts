/** `tsnet version` */
import { VERSION } from '../wiring/version.ts';
import { jsonFormat } from './options.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command.addOption(jsonFormat()).action(({ format }: { readonly format?: string }) => {
    const { node } = process.versions;
    context.write(
      format === 'json' ? `${JSON.stringify({ version: VERSION, node })}\n` : `tsnet ${VERSION} (Node.js ${node})\n`,
    );
  });
};
