/** Tells the effective configuration, each value with its origin and no secret among them. */
import type { z } from 'zod';
import { maskUrl } from './kinds.ts';
import type { LoadedConfig } from './load.ts';
import { schema } from './schema.ts';
import { describeOrigin, join, type Origin } from './tree.ts';
import { inUnits } from './units.ts';
import { documentation, look } from './walk.ts';

export interface ShownValue {
  /** Path in the file, such as `database.pool_size`. */
  readonly path: string;
  /** As it could be written in a file (`5s`, `10MB`, `60/minute`); secrets are `***`. */
  readonly value: unknown;
  readonly origin: string;
  /** Whether the key is accepted but nothing reads it. */
  readonly inert: boolean;
}

type Loaded = Pick<LoadedConfig, 'config' | 'origins'>;

/** Lists every value of the configuration in the order of the schema. */
export function showConfig({ config, origins }: Loaded): readonly ShownValue[] {
  return [...walk(schema, config, '', origins)];
}

/** @returns one line for each value: `path = value  (origin)`. */
export function formatConfig(loaded: Loaded): string {
  const lines = showConfig(loaded).map(
    ({ path, value, origin, inert }) =>
      `${path} = ${JSON.stringify(value)}  (${origin}${inert ? '; has no effect' : ''})`,
  );
  return `${lines.join('\n')}\n`;
}

type Origins = ReadonlyMap<string, Origin>;

function* walk(node: z.core.$ZodType, value: unknown, path: string, origins: Origins): Generator<ShownValue> {
  const seen = look(node);
  if (seen.kind === 'section' && isRecord(value)) {
    for (const { internal, key, schema: field } of seen.fields) {
      if (internal in value) yield* walk(field, value[internal], join(path, key), origins);
    }
    return;
  }
  if (seen.kind === 'list' && Array.isArray(value) && look(seen.item).kind !== 'value') {
    for (const [index, item] of value.entries()) yield* walk(seen.item, item, `${path}[${index}]`, origins);
    if (value.length > 0) return;
  }
  if (seen.kind === 'named' && isRecord(value)) {
    for (const [name, item] of Object.entries(value)) yield* walk(seen.value, item, join(path, name), origins);
    return;
  }
  const doc = documentation(node);
  yield {
    path,
    value: doc?.secret === true && value !== null ? '***' : masked(inUnits(value, doc?.unit)),
    origin: describeOrigin(origins.get(path) ?? { kind: 'default' }),
    inert: doc?.inert === true,
  };
}

function masked(value: unknown): unknown {
  if (typeof value === 'string') return maskUrl(value);
  return Array.isArray(value) ? value.map(masked) : value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
