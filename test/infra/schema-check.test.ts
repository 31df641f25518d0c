import { describe, expect, it } from 'vitest';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import type { Json } from '../../src/domain/event.ts';
import type { SchemaProblem } from '../../src/ports/schema-check.ts';

const check = (schema: Json, value: Json): readonly SchemaProblem[] => openSchemaCheck().compile(schema).check(value);
const refusal = (schema: Json): { message: string; details: { place?: string } } => {
  try {
    openSchemaCheck().compile(schema);
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid_schema' });
    return error as never;
  }
  throw new Error('the schema was accepted');
};

describe('dialects', () => {
  const uri = (draft: string): string => `http://json-schema.org/${draft}/schema#`;

  it.each<[string, Json, Json, Json]>([
    ['draft-04', { $schema: uri('draft-04'), minimum: 1, exclusiveMinimum: true }, 2, 1],
    ['draft-06', { $schema: uri('draft-06'), exclusiveMinimum: 1, contains: { const: 1 } }, 2, 1],
    ['draft-07', { $schema: uri('draft-07'), if: { type: 'string' }, then: { minLength: 2 } }, 'ab', 'a'],
    [
      '2019-09',
      { $schema: 'https://json-schema.org/draft/2019-09/schema', dependentRequired: { a: ['b'] } },
      { a: 1, b: 1 },
      { a: 1 },
    ],
    [
      '2020-12',
      { $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ type: 'string' }] },
      ['a'],
      [1],
    ],
    ['none, new form', { prefixItems: [{ type: 'string' }] }, ['a'], [1]],
    ['none, array form', { items: [{ type: 'string' }] }, ['a'], [1]],
    ['none, boolean limit', { minimum: 1, exclusiveMinimum: true }, 2, 1],
  ])('%s is honoured', (_, schema, good, bad) => {
    expect(check(schema, good)).toEqual([]);
    expect(check(schema, bad)).not.toEqual([]);
  });

  it('true accepts and false refuses everything', () => {
    expect(check(true, { a: 1 })).toEqual([]);
    expect(check(false, null)).toMatchObject([{ path: '', message: 'expected no value here, got null' }]);
  });

  it('references inside the schema and to a meta-schema work', () => {
    const tree = {
      $ref: '#/$defs/node',
      $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } } },
    };
    expect(check(tree, { next: { next: {} } })).toEqual([]);
    expect(check(tree, { next: { next: 1 } })).toMatchObject([{ path: '/next/next' }]);
    const meta = { $schema: uri('draft-07'), $ref: uri('draft-07') };
    expect(check(meta, { type: 'string' })).toEqual([]);
    expect(check(meta, { type: 'text' })).not.toEqual([]);
  });

  it('the same $id in two schemas does not mix them', () => {
    const checks = openSchemaCheck();
    const text = checks.compile({ $id: 'https://example.com/a', type: 'string' });
    const number = checks.compile({ $id: 'https://example.com/a', type: 'number' });
    expect([text.check('x'), number.check(1)]).toEqual([[], []]);
    expect(text.check(1)).toHaveLength(1);
  });
});

describe('problems', () => {
  it('name the place, what was expected and what came', () => {
    const schema = {
      type: 'object',
      required: ['city'],
      additionalProperties: false,
      properties: {
        city: { type: 'string' },
        items: { type: 'array', items: { type: 'object', properties: { 'a/b': { type: ['number', 'null'] } } } },
        unit: { enum: ['metric', 'imperial'] },
        days: { maximum: 7 },
        mail: { format: 'email' },
      },
    };
    const value = { items: [{}, { 'a/b': 'x' }], unit: 'other', days: 9, mail: 'nobody', more: 1 };
    const found = check(schema, value);
    expect(found).toHaveLength(6);
    expect(found).toEqual(
      expect.arrayContaining([
        { path: '/city', at: 'city', keyword: 'required', message: 'expected a value, got none' },
        { path: '/more', at: 'more', keyword: 'additionalProperties', message: 'expected no such field' },
        {
          path: '/items/1/a~1b',
          at: 'items[1]["a/b"]',
          keyword: 'type',
          message: 'expected number or null, got string "x"',
        },
        {
          path: '/unit',
          at: 'unit',
          keyword: 'enum',
          message: 'expected one of "metric", "imperial", got string "other"',
        },
        { path: '/days', at: 'days', keyword: 'maximum', message: 'expected a number <= 7, got number 9' },
        {
          path: '/mail',
          at: 'mail',
          keyword: 'format',
          message: 'expected text in the format email, got string "nobody"',
        },
      ]),
    );
  });

  it('an inherited name does not count as a field', () => {
    expect(check({ required: ['constructor'] }, {})).toMatchObject([{ path: '/constructor' }]);
  });

  it('are at most 50, and one only for a value so large that all would cost memory', () => {
    const schema = { type: 'array', items: { type: 'string' } };
    expect(check(schema, Array(1000).fill(1))).toHaveLength(50);
    expect(check(schema, Array(100_000).fill(1))).toHaveLength(1);
  });
});

describe('a bad schema', () => {
  it('is refused with the place', () => {
    expect(refusal({ properties: { a: { type: 'text' } } })).toMatchObject({
      message: expect.stringContaining('the schema at properties.a.type is not valid') as string,
      details: { place: '/properties/a/type' },
    });
    expect(refusal({ properties: { a: { pattern: '(' } } }).details.place).toBe('/properties/a/pattern');
    expect(refusal({ $schema: 'https://example.com/mine' }).details.place).toBe('/$schema');
    expect(refusal('string').message).toContain('a schema is an object, true or false');
  });

  it('is refused when it refers to another document, which is never loaded', () => {
    const { message, details } = refusal({ properties: { a: { $ref: 'http://127.0.0.1:1/other.json' } } });
    expect(message).toContain('never loaded');
    expect(details.place).toBe('/properties/a/$ref');
    expect(refusal({ $ref: '#/nowhere' }).details.place).toBe('/$ref');
  });

  it('is refused when asynchronous or nested without end', () => {
    expect(refusal({ $async: true, type: 'string' }).message).toContain('asynchronous');
    let deep: Json = {};
    for (let i = 0; i < 20_000; i++) deep = { not: deep };
    expect(refusal(deep).message).toContain('nested too deeply');
  });
});

describe('time', () => {
  it.each<[string, Json, Json]>([
    ['a pattern that backtracks', { pattern: '^(a+)+$' }, `${'a'.repeat(40)}!`],
    ['one in a name', { patternProperties: { '^(a+)+$': true } }, { [`${'a'.repeat(40)}!`]: 1 }],
    ['one with a back-reference', { pattern: '^(a+)+\\1$' }, `${'a'.repeat(40)}!`],
    [
      'references that branch',
      {
        allOf: [{ $ref: '#/$defs/0' }],
        $defs: Object.fromEntries(
          Array.from({ length: 40 }, (_, i) => [
            String(i),
            { allOf: i === 39 ? [{ type: 'string' }] : [{ $ref: `#/$defs/${i + 1}` }, { $ref: `#/$defs/${i + 1}` }] },
          ]),
        ),
      },
      'x',
    ],
  ])('%s ends with an error, not with a standstill', (_, schema, value) => {
    const checks = openSchemaCheck({ timeoutMs: 150 });
    const began = performance.now();
    expect(() => checks.compile(schema).check(value)).toThrow(/takes longer than 150 ms/);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(checks.compile({ pattern: '^b$' }).check('b')).toEqual([]);
  });
});

describe('the cache', () => {
  it('keeps what was used last and lets go of the rest', () => {
    const checks = openSchemaCheck({ maxCached: 2 });
    const first = checks.compile({ const: 1 });
    checks.compile({ const: 2 });
    expect(checks.compile({ const: 1 })).toBe(first);
    const third = checks.compile({ const: 3 });
    expect(checks.compile({ const: 1 })).toBe(first);
    expect(checks.compile({ const: 3 })).toBe(third);
    checks.compile({ const: 4 });
    checks.compile({ const: 5 });
    expect(checks.compile({ const: 1 })).not.toBe(first);
  });
});
