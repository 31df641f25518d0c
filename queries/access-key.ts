/** Tells about API keys that were made here: what they may do, never what they are. */
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { cursor, decodeCursor, defineQuery, limit, pageOf, stored } from './query.ts';

export const listKeys = defineQuery({
  name: 'list_keys',
  permission: 'administer',
  description: 'API keys that were made here, by name; those of the configuration stand in the configuration.',
  input: z.strictObject({ status: z.enum(['active', 'revoked']).optional(), limit: limit(50), cursor }),
  read: async ({ db }, input) => {
    let query = db
      .selectFrom('access_keys')
      .selectAll()
      .orderBy('name')
      .limit(input.limit + 1);
    if (input.status !== undefined) query = query.where('status', '=', input.status);
    if (input.cursor !== undefined)
      query = query.where('name', '>', decodeCursor(input.cursor, z.tuple([z.string()]))[0]);
    const page = pageOf(await query.execute(), input.limit, (row) => [row.name]);
    return { keys: page.rows.map(told), next_cursor: page.next_cursor };
  },
});

export const getKey = defineQuery({
  name: 'get_key',
  permission: 'administer',
  description: 'One API key by id or name.',
  input: z.strictObject({ key_id: z.string().min(1).max(64) }),
  read: async ({ db }, { key_id: id }) => {
    const row = await db
      .selectFrom('access_keys')
      .selectAll()
      .where((is) => is.or([is('key_id', '=', id), is('name', '=', id)]))
      .executeTakeFirst();
    if (row !== undefined) return told(row);
    throw new RatchetError('not_found', `there is no key ${id}`, { details: { key: id } });
  },
});

function told(row: ReadModels['access_keys']) {
  const { permissions, tasks, limits, allowed_ips, ...plain } = row;
  return {
    ...plain,
    permissions: stored(permissions),
    tasks: stored(tasks),
    limits: stored(limits),
    allowed_ips: stored(allowed_ips),
  };
}
