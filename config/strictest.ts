/** Chooses between two spellings of one key in the same file: of two limits the smaller counts, else the later one. */
import { schema } from './schema.ts';
import type { Leaf, List } from './tree.ts';
import { documentation, knownKeys } from './walk.ts';
import { z } from 'zod';

/** @returns the one of both that counts. */
export function strictest(path: string, first: Leaf | List, second: Leaf | List): Leaf | List {
  const known = [...knownKeys(schema)].find((key) => key.path === path);
  if (known === undefined || documentation(known.schema)?.strictest !== true) return second;
  const [one, two] = [first, second].map((node) =>
    node.kind === 'leaf' ? z.safeParse(known.schema, node.value).data : undefined,
  );
  return typeof one === 'number' && typeof two === 'number' && one < two ? first : second;
}
