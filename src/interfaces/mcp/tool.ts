/** What a tool is: one thing that an agent can ask, with its forms, its rights, and what a client may know of it beforehand. */
import type {
  CallToolResult,
  InputRequiredResult,
  Tool as ListedTool,
  ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Permission } from '../../domain/access.ts';
import type { JsonObject } from '../../domain/event.ts';
import { type Caller, type Core, parse } from '../operation.ts';
import type { ClientView } from './client-view.ts';
import type { Contact } from './contact.ts';
import { helpfulError } from './helpful-error.ts';
import type { ToolSettings, Toolset } from './settings.ts';
import { boundedResult } from './tool-answer.ts';

/** All four are said of every tool: what is left out means the worst to a client. */
export interface Hints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** Looks at what is recorded, and changes nothing. */
export const READS: Hints = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};

/** One call of a tool. */
export interface ToolCall {
  readonly core: Core;
  readonly caller: Caller;
  readonly contact: Contact;
  readonly settings: ToolSettings;
  /** The request as the protocol has it: its signal ends when the client stops waiting. */
  readonly context: ServerContext;
  readonly client: ClientView;
  /** Carries out an operation for the caller, with its rights and limits. Fails as the operation does. */
  ask(operation: string, input: object, as?: Partial<Pick<Caller, 'minPosition'>>): Promise<unknown>;
  /** Tells the client how far the call is, where it asked to be told. */
  progress(done: number, total: number | null, message: string | null): Promise<void>;
}

/** What a client gets of a call: a result, or a question that it has to answer first. */
export type ToolOutcome = CallToolResult | InputRequiredResult;

/** What a tool answers instead of a payload: a question to the client, or a handle on work that goes on. */
export class Outcome {
  readonly value: ToolOutcome;

  constructor(value: ToolOutcome) {
    this.value = value;
  }
}

export interface Tool {
  readonly toolset: Toolset;
  /** Whoever lacks it neither sees the tool nor can call it. */
  readonly permission: Permission;
  readonly listed: ListedTool;
  /** Fails with a `RatchetError`, which is told to the client as the result of the call. */
  call(call: ToolCall, args: unknown): Promise<ToolOutcome>;
}

export interface ToolDefinition<Input, Output extends object> {
  /** As in X15: lower case and underscores, at most 40 characters. */
  readonly name: string;
  readonly title: string;
  /** The first sentence says alone what the tool is for. */
  readonly description: string;
  readonly toolset: Toolset;
  readonly permission: Permission;
  readonly hints: Hints;
  readonly input: z.ZodType<Input>;
  /** What the answer promises; members that are not named in it are left out. */
  readonly output: z.ZodType<Output>;
  /** Other names of arguments, and what they are called here. */
  readonly synonyms?: Readonly<Record<string, string>>;
  /** @returns the answer, which is held against `output`, or an {@link Outcome}, which is not. */
  readonly run: (call: ToolCall, input: Input) => Promise<unknown>;
}

/** @returns a tool whose input is parsed and whose answer keeps its promise. */
export function defineTool<Input, Output extends object>(definition: ToolDefinition<Input, Output>): Tool {
  const { name, title, description, hints, synonyms = {} } = definition;
  return {
    toolset: definition.toolset,
    permission: definition.permission,
    listed: {
      name,
      title,
      description,
      inputSchema: { type: 'object', ...schemaOf(definition.input, 'input') },
      outputSchema: { type: 'object', ...open(schemaOf(definition.output, 'output')) },
      annotations: { title, ...hints },
    },
    call: async (call, args) => {
      const input = parse(definition.input, renamed(args, synonyms));
      try {
        const told = await definition.run(call, input);
        if (told instanceof Outcome) return told.value;
        return boundedResult(definition.output.parse(told), call.settings.maxOutputBytes);
      } catch (error) {
        throw helpfulError(call, name, input, error);
      }
    },
  };
}

/** Definitions are read by models: what they can do without costs them tokens in every conversation. */
function schemaOf(form: z.ZodType, io: 'input' | 'output'): JsonObject {
  const schema = z.toJSONSchema(form, { io, unrepresentable: 'any', reused: 'inline' });
  const { $schema: _, ...rest } = z.record(z.string(), z.json()).parse(JSON.parse(JSON.stringify(schema)));
  return rest;
}

/** Clients hold errors against the form of the answer, too, and would tell their model of that instead of the error. */
function open(form: JsonObject): JsonObject {
  const strict = ['required', 'additionalProperties'];
  return Object.fromEntries(Object.entries(form).filter(([keyword]) => !strict.includes(keyword)));
}

function renamed(args: unknown, synonyms: Readonly<Record<string, string>>): unknown {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return args ?? {};
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => {
      const known = Object.hasOwn(synonyms, name) ? synonyms[name] : undefined;
      return [known === undefined || Object.hasOwn(args, known) ? name : known, value];
    }),
  );
}
