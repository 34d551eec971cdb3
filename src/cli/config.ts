/** `tsnet config check` says what is wrong with daemon.json; `tsnet config show` prints what is in force, and by whom. */
import type { Examination } from '../config/load.ts';
import { TsnetError } from '../model/error.ts';
import type { CliContext } from './context.ts';
import { jsonFormat } from './options.ts';
import { renderTable } from './table.ts';
import type { DefineVerb } from './verbs.ts';

interface FormatOption {
  readonly format?: string;
}

export const define: DefineVerb = (command, context) => {
  command
    .command('check')
    .description('Print OK, or what is wrong.')
    .addOption(jsonFormat())
    .action((options: FormatOption) => check(options, context));
  command
    .command('show')
    .description('Print every key with its value and where that comes from: default, file, environment or option.')
    .addOption(jsonFormat())
    .action((options: FormatOption) => show(options, context));
};

async function check({ format }: FormatOption, context: CliContext): Promise<void> {
  const examination = await examine(context);
  const { file, problems, notices } = examination;
  if (format === 'json') {
    context.write(`${JSON.stringify({ file: file ?? null, ok: problems.length === 0, problems, notices })}\n`);
  } else {
    for (const notice of notices) context.writeError(`tsnet: notice: ${notice}`);
    const name = file ?? 'no file; defaults';
    context.write(
      problems.length === 0 ? `OK (${name})\n` : problems.map((problem) => `${name}: ${problem}\n`).join(''),
    );
  }
  if (problems.length > 0) context.exitWith(1);
}

async function show({ format }: FormatOption, context: CliContext): Promise<void> {
  const { config, entries, notices, problems, file } = await examine(context);
  if (config === undefined) throw new TsnetError('CONFIG', `${file ?? 'configuration'}: ${problems.join('; ')}`);
  if (format === 'json') {
    const origins = Object.fromEntries(entries.map(({ key, origin }) => [key, origin]));
    context.write(
      `${JSON.stringify({ file: file ?? null, config: config.effective, origins, notices }, undefined, 2)}\n`,
    );
    return;
  }
  for (const notice of notices) context.writeError(`tsnet: notice: ${notice}`);
  context.write(
    renderTable(
      ['KEY', 'FROM', 'VALUE'],
      entries.map(({ key, value, origin }) => [key, origin, JSON.stringify(value)]),
    ),
  );
}

/** A file that cannot even be read is a problem like the others. */
async function examine(context: CliContext): Promise<Examination> {
  const { examineConfig } = await import('../config/load.ts');
  try {
    return examineConfig(context.configRequest());
  } catch (error) {
    if (!(error instanceof TsnetError) || error.code !== 'CONFIG') throw error;
    return { problems: [error.message], notices: [], entries: [] };
  }
}
