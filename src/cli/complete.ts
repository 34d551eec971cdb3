/**
 * `tsnet __complete -- WORD…`: what could stand for the last word, one a line with a description behind a tab. Read off the
 * verbs' own definitions, so that it knows what they know; names come from the ledger. Never fails: no answer is no line.
 */
import { Command } from 'commander';
import type { CliContext } from './context.ts';
import { findVerb, VERBS, type DefineVerb } from './verbs.ts';

interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** What the script's words look like to the program. */
interface Typed {
  readonly before: readonly string[];
  readonly current: string;
}

export const define: DefineVerb = (command, context) => {
  command.argument('[words...]').action(async (words: string[]) => {
    const typed = { before: words.slice(0, -1), current: words.at(-1) ?? '' };
    let candidates: readonly Candidate[] = [];
    try {
      candidates = await complete(typed, command.parent ?? command, context);
    } catch {
      // A tab key is no place for errors.
    }
    const fitting = candidates.filter(({ word }) => word.startsWith(typed.current));
    context.write(fitting.map(({ word, description }) => `${word}\t${description}\n`).join(''));
  });
};

async function complete(
  { before, current }: Typed,
  program: Command,
  context: CliContext,
): Promise<readonly Candidate[]> {
  const place = await findPlace(before, program, context);
  if (place.awaited !== undefined) return valuesFor(place.awaited, context);
  if (current.startsWith('-')) return flags(place.command);
  if (place.command === program) {
    return VERBS.filter(({ hidden }) => hidden !== true).map(({ name, summary }) => ({
      word: name,
      description: summary,
    }));
  }
  if (place.command.commands.length > 0) {
    return place.command.commands.map((each) => ({ word: each.name(), description: each.description() }));
  }
  const slots = place.command.registeredArguments;
  const slot = slots[Math.min(place.operands.length, slots.length - 1)];
  if (slot === undefined || (place.operands.length >= slots.length && !slot.variadic)) return [];
  return valuesFor({ name: slot.name(), choices: slot.argChoices }, context);
}

interface Slot {
  readonly name: string;
  readonly choices: readonly string[] | undefined;
}

interface Place {
  /** The program, or the verb (or its sub-verb) whose words are being typed. */
  readonly command: Command;
  readonly operands: readonly string[];
  /** The option whose value is being typed. */
  readonly awaited?: Slot;
}

/** Walks the words as the program would. */
async function findPlace(before: readonly string[], program: Command, context: CliContext): Promise<Place> {
  let command = program;
  let operands: string[] = [];
  for (let index = 0; index < before.length; index++) {
    const word = before[index] ?? '';
    const option = [...command.options, ...program.options].find(({ short, long }) => word === short || word === long);
    if (option !== undefined) {
      if (!option.required) continue;
      if (index === before.length - 1) {
        return { command, operands, awaited: { name: option.long ?? '', choices: option.argChoices } };
      }
      index++;
    } else if (!word.startsWith('-')) {
      const inner =
        command === program ? await defined(word, context) : command.commands.find((each) => each.name() === word);
      if (inner !== undefined) [command, operands] = [inner, []];
      else operands.push(word);
    }
  }
  return { command, operands };
}

async function defined(word: string, context: CliContext): Promise<Command | undefined> {
  const verb = findVerb(word);
  if (verb === undefined) return undefined;
  const command = new Command(verb.name);
  (await verb.load()).define(command, context);
  return command;
}

function flags(command: Command): Candidate[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .flatMap(({ long, description }) => (typeof long === 'string' ? [{ word: long, description }] : []));
}

async function valuesFor({ name, choices }: Slot, context: CliContext): Promise<readonly Candidate[]> {
  if (choices !== undefined) return choices.map((word) => ({ word, description: '' }));
  if (name.includes('network')) {
    const networks = await (await context.engine()).listNetworks();
    return networks.map((network) => ({ word: network.name, description: network.driver }));
  }
  if (name.includes('container')) {
    const sandboxes = await (await context.engine()).listSandboxes();
    return sandboxes.map(({ sandbox }) => ({ word: sandbox.name, description: (sandbox.command ?? []).join(' ') }));
  }
  if (name === 'host') {
    const hosts = await (await context.engine()).listClusterHosts();
    return hosts.map(({ id, name: called, state }) => ({ word: id, description: `${called} ${state}` }));
  }
  return [];
}
