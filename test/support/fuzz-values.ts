/** Values for the JSON schemas of the interface: good ones, nearly good ones, and ones that nobody sends by mistake. */
import fc from 'fast-check';

export type Schema = Readonly<Record<string, unknown>>;
/** Good values of fields that name something which is there, by the name of the field. */
export type Known = Readonly<Record<string, readonly unknown[]>>;

/** Stands for a key that can not be written as a member of an object; see {@link wireText}. */
const PROTO = '@@proto@@';
const DEEP = 5_000;

const SHORT_CODES = [
  'function main(input) { return input; }',
  'function main() { throw new TypeError("no luck"); }',
  'async function main() { return await step("one", () => Math.random()); }',
  'function main( {',
  'export default 1; import x from "fs";',
];

const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', ' ', '\0', 'a\0b', '\u001b[31m', '\u202e', '\ud800', '../../etc/passwd', '%00', "' OR 1=1 --"),
  fc.constantFrom('NaN', 'Infinity', '-1', '1e309', '0x10', 'null', 'undefined', 'true', '[object Object]', '*'),
  fc.constantFrom('__proto__', 'constructor', 'toString', '{{7*7}}', '${7*7}', '<script>alert(1)</script>'),
  fc.nat({ max: 3 }).map((power) => 'x'.repeat(20 * 10 ** power)),
);

const oddNumber: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(-1, 0, -0, 0.1, 1e21, -1e308, Number.MAX_SAFE_INTEGER + 1, 2 ** 31, 2 ** 32, 5e-324),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** Any value, the worse the likelier. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: oddText },
  { weight: 3, arbitrary: oddNumber },
  { weight: 2, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 2, arbitrary: fc.array(oddText, { maxLength: 3 }) },
  { weight: 2, arbitrary: fc.dictionary(fc.constantFrom(PROTO, 'constructor', 'a', '', '$ref', 'type'), oddText) },
  { weight: 1, arbitrary: fc.constantFrom(Array(2_000).fill(0), { $ref: '#' }, { type: 'no such' }, [[[[]]]]) },
);

export { oddNumber, oddText };

/** @returns values that a schema allows; those of known things where `name` names one. */
export function goodValue(schema: Schema, name: string, known: Known): fc.Arbitrary<unknown> {
  const here = known[name];
  if (here !== undefined && here.length > 0) return fc.constantFrom(...here);
  if (name === 'code') return fc.constantFrom(...SHORT_CODES);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as readonly unknown[]));
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices)) return fc.oneof(...choices.map((choice: Schema) => goodValue(choice, '', known)));
  const { type } = schema;
  switch (Array.isArray(type) ? type[0] : type) {
    case 'string':
      return goodText(schema);
    case 'integer':
      return fc.integer({ min: bound(schema, 'minimum', 0), max: Math.min(bound(schema, 'maximum', 50), 2 ** 31) });
    case 'number':
      return fc.double({ min: 0.01, max: Math.min(bound(schema, 'maximum', 1_000), 10), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(goodValue((schema['items'] ?? {}) as Schema, '', known), { maxLength: 3 });
    case 'object':
      return goodObject(schema, known);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function bound(schema: Schema, side: string, standard: number): number {
  const value = schema[side];
  return typeof value === 'number' ? value : standard;
}

function goodText(schema: Schema): fc.Arbitrary<string> {
  if (schema['format'] === 'date-time') {
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  }
  const { pattern } = schema;
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, 60));
  const maxLength = Math.min(bound(schema, 'maxLength', 30), 30);
  return fc.string({ unit: 'grapheme-ascii', minLength: bound(schema, 'minLength', 0), maxLength });
}

/** @returns objects with the fields that a schema wants, and some of those that it allows. */
export function goodObject(schema: Schema, known: Known): fc.Arbitrary<Record<string, unknown>> {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const required = (schema['required'] ?? []) as readonly string[];
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, goodValue(inner, name, known)]),
  );
  return fc.record(fields, { requiredKeys: [...required] }) as fc.Arbitrary<Record<string, unknown>>;
}

/** @returns good objects in which one field is something else, is missing, or is one too many. */
export function nearObject(schema: Schema, known: Known): fc.Arbitrary<Record<string, unknown>> {
  const names = Object.keys((schema['properties'] ?? {}) as object);
  const field = fc.constantFrom(...names, 'no_such_field', PROTO, 'constructor', '');
  return fc.tuple(goodObject(schema, known), field, oddValue, fc.boolean()).map(([good, name, odd, isLeftOut]) => {
    const { [name]: _, ...rest } = good;
    return isLeftOut && name in good ? rest : { ...rest, [name]: odd };
  });
}

/** @returns JSON text in which the keys are there that no object literal can hold. */
export function wireText(value: unknown): string {
  return (JSON.stringify(value) ?? '').replaceAll(PROTO, '__proto__');
}

/** Bodies that are no object that anybody asked for, or no JSON at all. */
export const brokenBody: fc.Arbitrary<Buffer> = fc.oneof(
  oddValue.map((value) => Buffer.from(wireText(value))),
  fc
    .constantFrom('{', '{"a":1,"a":2}', '[]', '""', 'NaN', '{"a":01}', '{"a":"\u0000"}', '\ufeff{}', '{}{}', '/**/{}')
    .map((text) => Buffer.from(text)),
  fc.constantFrom(Buffer.from([0xff, 0xfe, 0x7b]), Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d]), Buffer.alloc(64)),
  fc.constantFrom('[', '{"a":').map((open) => Buffer.from(open.repeat(DEEP))),
  fc.constant(Buffer.from(`${'['.repeat(DEEP)}${']'.repeat(DEEP)}`)),
  fc.constant(Buffer.from(JSON.stringify({ task_id: 'x'.repeat(1_100_000) }))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);
