/** What a command is: an input, the stream it is about, and a pure decision that answers with facts. */
import type { z } from 'zod';
import type { Permission, Principal } from '../src/domain/access.ts';
import type { Evolution, Fact } from '../src/domain/event.ts';

/** Everything about a request that a decision may use besides state and input; time and ids come in here. */
export interface CommandMeta {
  readonly principal: Principal;
  /** The same command id again stores nothing twice. */
  readonly commandId: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Command<Input, State, Event extends Fact> {
  /** Imperative, such as `cancel_execution`. */
  readonly name: string;
  readonly permission: Permission;
  readonly input: z.ZodType<Input>;
  /** The stream that the decision reads and appends to. */
  readonly stream: (input: Input) => string;
  readonly evolution: Evolution<State, Event>;
  /** Returns the facts that follow, none when all is as asked already, or throws a RatchetError. Pure. */
  readonly decide: (state: State, input: Input, meta: CommandMeta) => readonly Event[];
}

/** Keeps the types of a command together; adds nothing. */
export function defineCommand<Input, State, Event extends Fact>(
  command: Command<Input, State, Event>,
): Command<Input, State, Event> {
  return command;
}
