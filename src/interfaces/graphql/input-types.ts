/** GraphQL input types out of the forms that operations check their input with, so that no field is written down twice. */
import { z } from 'zod';
import { camelCase, pascalCase } from './names.ts';

/** The part of a JSON Schema that is looked at. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
}

/** Turns a value as GraphQL gives it into one as the operation takes it. */
type Reader = (value: unknown) => unknown;

interface Converted {
  /** Of GraphQL, without `!`. */
  readonly type: string;
  readonly read: Reader;
  /** Whether null says something; else a field that is null counts as left out. */
  readonly takesNull: boolean;
}

export interface InputField {
  /** In the operation. */
  readonly name: string;
  /** In GraphQL. */
  readonly field: string;
  /** With `!` where it must be given. */
  readonly type: string;
  readonly description: string;
}

export interface InputType {
  readonly fields: readonly InputField[];
  /** Reads arguments or an input object. */
  readonly read: (given: Readonly<Record<string, unknown>>) => Record<string, unknown>;
}

/** Enumerations that many operations share, by their values. */
const ENUM_NAMES: Readonly<Record<string, string>> = {
  'pending running waiting completed failed cancelled': 'ExecutionStatus',
  'enabled disabled deleted': 'TaskStatus',
  'trace debug info warn error': 'LogLevel',
  'faithful patched debug profile': 'ReplayMode',
};

const NAME = /^[A-Za-z]\w*$/;
const MAX_INT = 2 ** 31 - 1;
const same: Reader = (value) => value;
const JSON_VALUE: Converted = { type: 'JSON', read: same, takesNull: true };

/** Collects the input types and enumerations of all operations. */
export class InputTypes {
  readonly #definitions = new Map<string, string>();

  /** All definitions so far, as a schema document. */
  get text(): string {
    return [...this.#definitions.values()].join('\n\n');
  }

  /**
   * @param owner what the types of inner objects are named after
   * @param renamed GraphQL names of fields that are not called as elsewhere; null for those that are left out
   */
  of(form: z.ZodType, owner: string, renamed: Readonly<Record<string, string | null>> = {}): InputType {
    const schema: Schema = JSON.parse(JSON.stringify(z.toJSONSchema(form, { io: 'input', unrepresentable: 'any' })));
    return this.#fieldsOf(schema, owner, renamed);
  }

  /** Defines an input object of these fields. */
  define(name: string, { fields }: InputType): void {
    const lines = fields.map(({ field, type, description }) => `${described(description, '  ')}  ${field}: ${type}`);
    this.#definitions.set(name, `input ${name} {\n${lines.join('\n')}\n}`);
  }

  #fieldsOf(schema: Schema, owner: string, renamed: Readonly<Record<string, string | null>> = {}): InputType {
    const required = new Set(schema.required);
    const shown = Object.entries(schema.properties ?? {}).filter(([name]) => renamed[name] !== null);
    const known = shown.map(([name, inner]) => {
      const converted = this.#convert(inner, name, `${owner}${pascalCase(name)}`);
      // A value that may be null can not be demanded by its type; the operation itself asks for it.
      const mark = required.has(name) && !converted.takesNull ? '!' : '';
      const field = renamed[name] ?? camelCase(name);
      const isPage = field === 'first' && typeof inner.default === 'number';
      const type = `${converted.type}${isPage ? ` = ${inner.default}` : mark}`;
      return { name, field, type, description: descriptionOf(inner), converted };
    });
    return {
      fields: known.map(({ name, field, type, description }) => ({ name, field, type, description })),
      read: (given) => {
        const read = known
          .filter(
            ({ field, converted }) => given[field] !== undefined && (given[field] !== null || converted.takesNull),
          )
          .map(({ name, field, converted }) => [name, converted.read(given[field])] as const);
        return Object.fromEntries(read);
      },
    };
  }

  #convert(schema: Schema, name: string, path: string): Converted {
    const alternatives = schema.anyOf?.filter(({ type }) => type !== 'null') ?? [];
    const [only] = alternatives;
    if (only !== undefined && alternatives.length === 1) {
      return { ...this.#convert(only, name, path), takesNull: alternatives.length < (schema.anyOf?.length ?? 0) };
    }
    if (Array.isArray(schema.type) && schema.type.includes('null')) {
      const [one, ...more] = schema.type.filter((type) => type !== 'null');
      const values = schema.enum?.filter((value) => value !== null);
      if (one === undefined || more.length > 0) return JSON_VALUE;
      const inner = { ...schema, type: one, ...(values === undefined ? {} : { enum: values }) };
      return { ...this.#convert(inner, name, path), takesNull: true };
    }
    const plain = (type: string): Converted => ({ type, read: same, takesNull: false });
    if (schema.enum !== undefined) return plain(this.#enumOf(schema.enum.map(String), path));
    // A flag is a word in a query string, and a flag here.
    if (Array.isArray(schema.type)) return schema.type.includes('boolean') ? plain('Boolean') : JSON_VALUE;
    switch (schema.type) {
      case 'string':
        return plain(name === 'id' || name.endsWith('_id') ? 'ID' : 'String');
      case 'boolean':
        return plain('Boolean');
      case 'number':
        return plain('Float');
      case 'integer':
        return plain(isSmall(schema) ? 'Int' : 'Float');
      case 'array':
        return this.#listOf(schema.items ?? {}, name, path);
      case 'object':
        return this.#objectOf(schema, path);
      default:
        return JSON_VALUE;
    }
  }

  #listOf(items: Schema, name: string, path: string): Converted {
    const inner = this.#convert(items, name, path);
    const read: Reader = (value) => (Array.isArray(value) ? value.map(inner.read) : value);
    return { type: `[${inner.type}${inner.takesNull ? '' : '!'}]`, read, takesNull: false };
  }

  #objectOf(schema: Schema, path: string): Converted {
    if (schema.properties === undefined || Object.keys(schema.properties).length === 0) {
      return { ...JSON_VALUE, takesNull: false };
    }
    const type = this.#fieldsOf(schema, path);
    this.define(`${path}Input`, type);
    const read: Reader = (value) => (typeof value === 'object' && value !== null ? type.read({ ...value }) : value);
    return { type: `${path}Input`, read, takesNull: false };
  }

  #enumOf(values: readonly string[], path: string): string {
    if (!values.every((value) => NAME.test(value))) return 'String';
    const name = ENUM_NAMES[values.join(' ')] ?? path;
    this.#definitions.set(name, `enum ${name} {\n${values.map((value) => `  ${value}`).join('\n')}\n}`);
    return name;
  }
}

/** Whether all its values are 32-bit integers; a bound that nobody set counts as one. */
function isSmall({ minimum = 0, maximum = MAX_INT }: Schema): boolean {
  return (maximum <= MAX_INT || maximum === Number.MAX_SAFE_INTEGER) && minimum >= -MAX_INT;
}

function descriptionOf({ description, default: standard, enum: values }: Schema): string {
  const said = description === undefined ? [] : [description.endsWith('.') ? description : `${description}.`];
  if (values?.some((value) => !NAME.test(String(value)))) said.push(`One of ${values.join(', ')}.`);
  const isPlain = ['string', 'number', 'boolean'].includes(typeof standard) && standard !== '';
  if (isPlain) said.push(`Standard: ${String(standard)}.`);
  return said.join(' ');
}

/** @returns a description as a schema document has it; nothing for an empty one. */
export function described(text: string, indent = ''): string {
  return text === '' ? '' : `${indent}${JSON.stringify(text)}\n`;
}
