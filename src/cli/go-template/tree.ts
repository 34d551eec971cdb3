/** What a parsed Go template is made of. `at` and `source` are where a node stands, for messages. */

interface Placed {
  readonly at: number;
  readonly source: string;
}

/** Constants and names. */
export type Term =
  | { readonly kind: 'constant'; readonly value: string | number | boolean | null }
  | { readonly kind: 'dot' }
  | { readonly kind: 'field'; readonly fields: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly fields: readonly string[] }
  | { readonly kind: 'function'; readonly name: string };

/** A term, or a pipeline in parentheses, or fields picked from one: `(index .Containers "x").Name`. */
export type Operand = Placed &
  (
    | Term
    | { readonly kind: 'chain'; readonly base: Operand; readonly fields: readonly string[] }
    | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  );

/** A first operand and what is handed to it. */
export interface Command extends Placed {
  readonly operands: readonly [Operand, ...Operand[]];
}

export interface Pipeline extends Placed {
  /** `$k, $v :=` or `$v =`. */
  readonly variables: readonly string[];
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: 'break' | 'continue' };
