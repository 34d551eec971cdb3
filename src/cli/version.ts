/** `tsnet version`, and the version itself. */
import { jsonFormat } from './options.ts';
import type { DefineVerb } from './verbs.ts';

/** Written by the build from package.json; absent when run from the sources. */
declare const TSNET_VERSION: string | undefined;

export const VERSION: string = typeof TSNET_VERSION === 'undefined' ? '0.0.0-source' : TSNET_VERSION;

export const define: DefineVerb = (command, context) => {
  command.addOption(jsonFormat()).action(({ format }: { readonly format?: string }) => {
    const { node } = process.versions;
    context.write(
      format === 'json' ? `${JSON.stringify({ version: VERSION, node })}\n` : `tsnet ${VERSION} (Node.js ${node})\n`,
    );
  });
};
