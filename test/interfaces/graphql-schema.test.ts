/** The schema as documents tell it, and what is made of the forms of inputs. */
import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputTypes } from '../../src/interfaces/graphql/input-types.ts';
import { schemaText } from '../support/graphql-schema.ts';

it('docs/schema.graphql is the schema; `node test/support/graphql-schema.ts` writes it anew', () => {
  const file = new URL('../../docs/schema.graphql', import.meta.url);
  expect(readFileSync(file, 'utf8')).toBe(schemaText());
});

describe('an input type', () => {
  const form = z.strictObject({
    task_id: z.string(),
    name: z.string().nullable().optional(),
    mode: z.enum(['plain', 'fancy']).optional(),
    from: z.enum(['start', 'failed-step']).optional().describe('Where to begin'),
    limit: z.int().min(1).default(20),
    at_ms: z.int().min(0).max(31_536_000_000).optional(),
    share: z.number().optional(),
    input: z.json(),
    extra: z.record(z.string(), z.json()).optional(),
    flags: z.array(z.string()).optional(),
    inner: z
      .strictObject({ max_tries: z.int(), on: z.array(z.strictObject({ a_b: z.string() })).optional() })
      .optional(),
    secret: z.string().optional(),
  });
  const inputs = new InputTypes();
  const type = inputs.of(form, 'Thing', { limit: 'first', secret: null });
  inputs.define('ThingInput', type);

  it('has a field of the right kind for each of the form', () => {
    const schema = buildSchema(`scalar JSON\n${inputs.text}\ntype Query { a(input: ThingInput!): Int }`);
    const fields = Object.fromEntries(type.fields.map(({ field, type: of }) => [field, of]));
    expect(schema.getType('ThingInput')).toBeDefined();
    expect(fields).toEqual({
      taskId: 'ID!',
      name: 'String',
      mode: 'ThingMode',
      from: 'String',
      first: 'Int = 20',
      atMs: 'Float',
      share: 'Float',
      input: 'JSON',
      extra: 'JSON',
      flags: '[String!]',
      inner: 'ThingInnerInput',
    });
    expect(type.fields.find(({ field }) => field === 'from')?.description).toBe(
      'Where to begin. One of start, failed-step.',
    );
  });

  it('gives the operation its own names; null counts as left out where it says nothing', () => {
    const given = {
      taskId: 'x',
      name: null,
      mode: null,
      input: null,
      first: 3,
      inner: { maxTries: 2, on: [{ aB: 'c' }] },
      extra: { aB: 1 },
    };
    expect(type.read(given)).toEqual({
      task_id: 'x',
      name: null,
      input: null,
      limit: 3,
      inner: { max_tries: 2, on: [{ a_b: 'c' }] },
      extra: { aB: 1 },
    });
  });
});
