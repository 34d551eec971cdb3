/** Runs a parsed template over a value (text/template/exec.go), with Go's words for what goes wrong. */
import { TsnetError } from '../../model/error.ts';
import { CallFault, callFunction, LAZY_FUNCTIONS } from './functions.ts';
import type { Command, Node, Operand, Pipeline } from './tree.ts';
import { GoMap, GoStruct, isList, isTrue, print, typeName, type Value } from './value.ts';

export interface Evaluation {
  readonly template: string;
  readonly nodes: readonly Node[];
  readonly data: Value;
  /** Naming a missing map entry is an error, not "<no value>". */
  readonly missingKeyIsError?: boolean;
  /** Rendering the header of a table: functions such as `upper` leave their argument alone. */
  readonly inHeader?: boolean;
}

interface Variable {
  readonly name: string;
  value: Value;
}

type Place = Pick<Operand, 'at' | 'source'>;
type Flow = 'on' | 'break' | 'continue';

/** More than any person wants: a template that loops in loops over everything ends here. */
const MAX_OUTPUT = 16 * 1024 * 1024;
const MAX_ROUNDS = 1_000_000;

/** @throws TsnetError INVALID */
export function evaluate({ template, nodes, data, missingKeyIsError = false, inHeader = false }: Evaluation): string {
  const variables: Variable[] = [{ name: '$', value: data }];
  const output: string[] = [];
  let written = 0;
  let totalRounds = 0;
  runList(nodes, data);
  return output.join('');

  function write(text: string): void {
    written += text.length;
    if (written > MAX_OUTPUT) throw new TsnetError('INVALID', 'template: the output is too long');
    output.push(text);
  }

  function runList(list: readonly Node[], dot: Value): Flow {
    const scope = variables.length;
    let flow: Flow = 'on';
    for (const node of list) {
      flow = runNode(node, dot);
      if (flow !== 'on') break;
    }
    variables.length = scope;
    return flow;
  }

  function runNode(node: Node, dot: Value): Flow {
    switch (node.kind) {
      case 'text':
        write(node.text);
        return 'on';
      case 'action': {
        const value = runPipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) write(print(value));
        return 'on';
      }
      case 'break':
      case 'continue':
        return node.kind;
      case 'range':
        return runRange(node, dot);
      case 'if':
      case 'with': {
        const scope = variables.length;
        const value = runPipeline(node.pipeline, dot);
        const flow = isTrue(value)
          ? runList(node.body, node.kind === 'with' ? value : dot)
          : runList(node.otherwise, dot);
        variables.length = scope;
        return flow;
      }
    }
  }

  function runRange(node: Extract<Node, { readonly kind: 'if' | 'with' | 'range' }>, dot: Value): Flow {
    const { pipeline, body, otherwise } = node;
    const scope = variables.length;
    let rounds = 0;
    for (const [key, value] of entriesOf(runPipeline({ ...pipeline, variables: [] }, dot), pipeline)) {
      rounds += 1;
      if (++totalRounds > MAX_ROUNDS) throw fault(pipeline, 'too many rounds');
      if (pipeline.variables.length === 1) setVariable(pipeline.variables[0], value, pipeline.declares);
      if (pipeline.variables.length === 2) {
        setVariable(pipeline.variables[0], key, pipeline.declares);
        setVariable(pipeline.variables[1], value, pipeline.declares);
      }
      const flow = runList(body, value);
      variables.length = scope;
      if (flow === 'break') return 'on';
    }
    return rounds === 0 ? runList(otherwise, dot) : 'on';
  }

  function* entriesOf(value: Value, pipeline: Pipeline): Generator<readonly [key: Value, value: Value]> {
    if (isList(value)) yield* value.entries();
    else if (value instanceof GoMap) yield* value.entries;
    else if (typeof value === 'number' && Number.isInteger(value)) {
      for (let index = 0; index < value; index++) yield [index, index];
    } else if (value !== undefined && value !== null) throw fault(pipeline, `range can't iterate over ${print(value)}`);
  }

  function setVariable(name: string | undefined, value: Value, declares: boolean): void {
    if (name === undefined) return;
    const known = variables.findLast((variable) => variable.name === name);
    if (declares || known === undefined) variables.push({ name, value });
    else known.value = value;
  }

  function runPipeline(pipeline: Pipeline, dot: Value): Value {
    let value: Value;
    pipeline.commands.forEach((command, index) => {
      value = runCommand(command, dot, index === 0 ? [] : [value]);
    });
    for (const name of pipeline.variables) setVariable(name, value, pipeline.declares);
    return value;
  }

  /** `piped` is the result of the command before it, if there is one: the last argument. */
  function runCommand(command: Command, dot: Value, piped: readonly Value[]): Value {
    const [first, ...rest] = command.operands;
    if (first.kind === 'function') return runFunction(first.name, rest, dot, piped, command);
    const args = (): Value[] => [...rest.map((operand) => runOperand(operand, dot)), ...piped];
    const hasArguments = rest.length + piped.length > 0;
    if ('fields' in first && first.fields.length > 0) {
      const base =
        first.kind === 'field' ? dot : first.kind === 'chain' ? runOperand(first.base, dot) : variableValue(first.name);
      return runFields(base, first.fields, first, hasArguments ? args() : undefined);
    }
    if (hasArguments) throw fault(first, `can't give argument to non-function ${first.source}`);
    if (first.kind === 'constant' && first.value === null) throw fault(first, 'nil is not a command');
    return runOperand(first, dot);
  }

  function runFunction(
    name: string,
    operands: readonly Operand[],
    dot: Value,
    piped: readonly Value[],
    place: Command,
  ): Value {
    if (LAZY_FUNCTIONS.has(name)) return runLazily(name, operands, dot, piped, place);
    const args = [...operands.map((operand) => runOperand(operand, dot)), ...piped];
    return called(place, () => callFunction(name, args, inHeader), operands);
  }

  /** Adds the place to what a function or method has to say. */
  function called(place: Place, call: () => Value, operands: readonly Operand[] = []): Value {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof CallFault)) throw error;
      const blamed = error.argument === undefined ? undefined : operands[error.argument];
      // Go's parser knows the type of a constant and says it shorter.
      const reason =
        blamed?.kind === 'constant'
          ? error.message.replace(/^.*(expected \S+); got .*$/, `$1; found ${blamed.source}`)
          : error.message;
      throw fault(blamed ?? place, reason);
    }
  }

  /** The first argument that decides; those behind it are not looked at. */
  function runLazily(
    name: string,
    operands: readonly Operand[],
    dot: Value,
    piped: readonly Value[],
    place: Command,
  ): Value {
    if (operands.length + piped.length === 0)
      throw fault(place, `wrong number of args for ${name}: want at least 1 got 0`);
    let value: Value;
    for (const operand of operands) {
      value = runOperand(operand, dot);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  function runOperand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case 'constant':
        return operand.value;
      case 'dot':
        return dot;
      case 'field':
        return runFields(dot, operand.fields, operand, undefined);
      case 'variable':
        return runFields(variableValue(operand.name), operand.fields, operand, undefined);
      case 'chain':
        return runFields(runOperand(operand.base, dot), operand.fields, operand, undefined);
      case 'pipeline': {
        const scope = variables.length;
        const value = runPipeline(operand.pipeline, dot);
        variables.length = scope;
        return value;
      }
      case 'function':
        return runFunction(operand.name, [], dot, [], { at: operand.at, source: operand.source, operands: [operand] });
    }
  }

  function variableValue(name: string): Value {
    return variables.findLast((variable) => variable.name === name)?.value;
  }

  /** Picks field after field; the last one may be a method that takes `args`. */
  function runFields(
    base: Value,
    fields: readonly string[],
    place: Operand,
    args: readonly Value[] | undefined,
  ): Value {
    return fields.reduce<Value>(
      (value, field, index) => pickField(value, field, place, index === fields.length - 1 ? args : undefined),
      base,
    );
  }

  function pickField(value: Value, field: string, place: Operand, args: readonly Value[] | undefined): Value {
    if (value instanceof GoStruct) {
      const method = Object.hasOwn(value.methods, field) ? value.methods[field] : undefined;
      if (method !== undefined) return called(place, () => method(args ?? []));
      if (!Object.hasOwn(value.fields, field))
        throw fault(place, `can't evaluate field ${field} in type ${value.typeName}`);
      if (args !== undefined) throw fault(place, `${field} has arguments but cannot be invoked as function`);
      return value.fields[field];
    }
    if (value instanceof GoMap) {
      if (args !== undefined) throw fault(place, `${field} is not a method but has arguments`);
      if (!value.entries.has(field) && missingKeyIsError) throw fault(place, `map has no entry for key "${field}"`);
      return value.entries.get(field);
    }
    if (value === undefined || value === null) throw fault(place, `nil data; no entry for key "${field}"`);
    throw fault(place, `can't evaluate field ${field} in type ${typeName(value)}`);
  }

  function fault(place: Place, reason: string): TsnetError {
    const before = template.slice(0, place.at);
    const line = before.split('\n').length;
    const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
    return new TsnetError('INVALID', `template: :${line}:${column}: executing "" at <${place.source}>: ${reason}`);
  }
}
