/** The GraphQL schema as text; run as a program it writes docs/schema.graphql. */
import { writeFileSync } from 'node:fs';
import { printSchema } from 'graphql';
import { schemaOf } from '../../src/interfaces/graphql/schema.ts';

/** @returns the schema of all operations, as `docs/schema.graphql` holds it. */
export function schemaText(): string {
  return `${printSchema(schemaOf())}\n`;
}

if (import.meta.main) writeFileSync(new URL('../../docs/schema.graphql', import.meta.url), schemaText());
