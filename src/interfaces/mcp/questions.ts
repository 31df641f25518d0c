/** Questions of tasks as forms of the protocol, and filled-in forms as answers: forms are flat, questions need not be. */
import {
  type ElicitRequestFormParams,
  type InputRequest,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { RatchetError } from '../../domain/errors.ts';
import { isObject, type Json, type JsonObject } from '../../domain/event.ts';
import type { Runtime } from '../../ports/runtime.ts';

export interface OpenQuestion {
  /** Path of the step that asks. */
  readonly step: string;
  readonly question: string;
  readonly schema: Json;
}

/** As `get_execution_status` tells them. */
export const openQuestions = z.array(z.object({ step: z.string(), question: z.string(), schema: z.json() }));

/** A key names one question for good, though a later attempt may ask something else at the same place. */
export function keyOf(runtime: Pick<Runtime, 'sha256'>, { step, question, schema }: OpenQuestion): string {
  return `${step}:${runtime.sha256(JSON.stringify([question, schema])).slice(0, 12)}`;
}

/** @returns what asks the user of the client, and comes back with the answer; the state that travels along is a mere name. */
export function askUser(
  runtime: Pick<Runtime, 'sha256'>,
  executionId: string,
  questions: readonly OpenQuestion[],
): InputRequiredResult {
  return inputRequired({ inputRequests: formsOf(runtime, questions), requestState: executionId });
}

/** @returns the forms of all questions, by their keys. */
export function formsOf(runtime: Pick<Runtime, 'sha256'>, questions: readonly OpenQuestion[]): InputRequests {
  return Object.fromEntries(questions.map((question) => [keyOf(runtime, question), formOf(question)]));
}

function formOf(open: OpenQuestion): InputRequest {
  return {
    method: 'elicitation/create',
    params: { mode: 'form', message: open.question, requestedSchema: schemaOf(open) },
  };
}

type FormSchema = ElicitRequestFormParams['requestedSchema'];

const PLAIN: ReadonlySet<Json | undefined> = new Set(['string', 'number', 'integer', 'boolean']);
/** What a form may say of a field besides its type and title (revision 2025-06-18 and later). */
const KEPT = [
  'title',
  'description',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'format',
  'enum',
  'default',
] as const;
/** The one field of a form for an answer that is no flat object. */
const ANSWER = 'answer';

function schemaOf({ schema }: OpenQuestion): FormSchema {
  const fields = flatFields(schema);
  if (fields !== null) {
    const required = isObject(schema) && Array.isArray(schema['required']) ? schema['required'].map(String) : [];
    return { type: 'object', properties: fields, required };
  }
  return { type: 'object', properties: { [ANSWER]: plainField(schema) ?? jsonField(schema) }, required: [ANSWER] };
}

type Field = FormSchema['properties'][string];

/** Null for a schema that a form can not show field by field. */
function flatFields(schema: Json): Record<string, Field> | null {
  if (!isObject(schema) || schema['type'] !== 'object' || !isObject(schema['properties'])) return null;
  const fields: Record<string, Field> = {};
  for (const [name, property] of Object.entries(schema['properties'])) {
    const field = plainField(property);
    if (field === null) return null;
    fields[name] = field;
  }
  return Object.keys(fields).length === 0 ? null : fields;
}

const fieldForm: z.ZodType<Field> = z.union([
  z.looseObject({ type: z.literal('string'), enum: z.array(z.string()) }),
  z.looseObject({ type: z.literal('string') }),
  z.looseObject({ type: z.enum(['number', 'integer']) }),
  z.looseObject({ type: z.literal('boolean') }),
]);

function plainField(schema: Json): Field | null {
  if (!isObject(schema) || !PLAIN.has(schema['type'])) return null;
  const kept = Object.fromEntries(KEPT.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]])));
  const parsed = fieldForm.safeParse({ type: schema['type'], ...kept });
  return parsed.success ? parsed.data : null;
}

function jsonField(schema: Json): Field {
  return { type: 'string', title: 'Answer as JSON', description: `Matches ${JSON.stringify(schema).slice(0, 2_000)}` };
}

const accepted = z.looseObject({ action: z.literal('accept'), content: z.record(z.string(), z.json()).default({}) });

/**
 * @returns the answer in a filled-in form; null where the user gave none, and the question stays open.
 * Fails with `invalid_answer` for a text that should be JSON and is not.
 */
export function answerIn({ schema }: OpenQuestion, response: unknown): { readonly answer: Json } | null {
  const form = accepted.safeParse(response);
  if (!form.success) return null;
  const content: JsonObject = form.data.content;
  if (flatFields(schema) !== null) return { answer: content };
  const given = content[ANSWER];
  if (given === undefined) return null;
  if (plainField(schema) !== null || typeof given !== 'string') return { answer: given };
  return { answer: jsonIn(given) };
}

function jsonIn(text: string): Json {
  try {
    return z.json().parse(JSON.parse(text));
  } catch (cause) {
    throw new RatchetError('invalid_answer', 'the answer is no JSON', { cause });
  }
}
