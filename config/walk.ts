/** Looks inside the schema: which nodes are groups, lists, names or values. */
import { z } from 'zod';
import { documentationOf, fileKey, type FieldDoc } from './fields.ts';

type Schema = z.core.$ZodType;

export type Node =
  | { readonly kind: 'section'; readonly fields: readonly SectionField[]; readonly absent: 'empty' | 'null' }
  | { readonly kind: 'list'; readonly item: Schema; readonly absent: 'empty' | 'null' }
  | { readonly kind: 'named'; readonly value: Schema }
  | { readonly kind: 'value' };

export interface SectionField {
  readonly internal: string;
  readonly key: string;
  readonly schema: Schema;
}

/** @returns what a schema node is, seen through its wrappers. */
export function look(schema: Schema): Node {
  if (schema instanceof z.ZodNullable) {
    const inner = look(schema.def.innerType);
    return inner.kind === 'section' || inner.kind === 'list' ? { ...inner, absent: 'null' } : inner;
  }
  if (schema instanceof z.ZodPipe && !(schema.def.in instanceof z.ZodUnknown)) return look(schema.def.in);
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries(schema.def.shape).map(([internal, field]) => ({
      internal,
      key: fileKey(internal, field),
      schema: field,
    }));
    return { kind: 'section', fields, absent: 'empty' };
  }
  if (schema instanceof z.ZodArray) return { kind: 'list', item: schema.def.element, absent: 'empty' };
  if (schema instanceof z.ZodRecord) return { kind: 'named', value: schema.def.valueType };
  return { kind: 'value' };
}

/** @returns the documentation of a node, seen through its wrappers. */
export function documentation(schema: Schema): FieldDoc | undefined {
  const own = documentationOf(schema);
  if (own !== undefined) return own;
  if (schema instanceof z.ZodPipe) return documentation(schema.def.in);
  return schema instanceof z.ZodNullable ? documentation(schema.def.innerType) : undefined;
}

export interface KnownKey {
  /** Path in the file, such as `mcp.api_keys[].key` or `secrets.<name>.value`. */
  readonly path: string;
  readonly schema: Schema;
  readonly node: Node;
}

/** Lists every key that a file may hold, in the order of the schema. */
export function* knownKeys(schema: Schema, path = ''): Generator<KnownKey> {
  const node = look(schema);
  if (path !== '') yield { path, schema, node };
  switch (node.kind) {
    case 'section':
      for (const { key, schema: field } of node.fields) {
        if (documentation(field)?.internal !== true) yield* knownKeys(field, path === '' ? key : `${path}.${key}`);
      }
      return;
    case 'list':
      if (look(node.item).kind !== 'value') yield* knownKeys(node.item, `${path}[]`);
      return;
    case 'named':
      if (look(node.value).kind !== 'value') yield* knownKeys(node.value, `${path}.<name>`);
      return;
    case 'value':
      return;
  }
}
