/** Keeps requests for rebuilds in a table of the read store, from the same code in each database. */
import { randomUUID } from 'node:crypto';
import { type Dialect, Kysely } from 'kysely';
import { type ErrorCode, isErrorCode } from '../../src/domain/errors.ts';
import type { RebuildRequests, RebuildState } from '../../src/ports/rebuild-requests.ts';

/** Whoever asked has gone, if it has not looked for so long. */
const KEPT_MS = 86_400_000;

interface Row {
  readonly id: string;
  readonly names: string | null;
  readonly status: string;
  readonly error_code: string | null;
  readonly error: string | null;
  /** Milliseconds since 1970. */
  readonly asked_at: number;
}

/** In the table `projection_rebuilds`, which is there already. */
export function rebuildRequests(dialect: Dialect): RebuildRequests {
  const db = new Kysely<{ projection_rebuilds: Row }>({ dialect });
  const open = ['asked', 'taken'];
  return {
    async ask(names) {
      const asked_at = Date.now();
      await db
        .deleteFrom('projection_rebuilds')
        .where('asked_at', '<', asked_at - KEPT_MS)
        .execute();
      const id = randomUUID();
      const row = { id, names: names === null ? null : JSON.stringify(names), status: 'asked', asked_at };
      await db
        .insertInto('projection_rebuilds')
        .values({ ...row, error_code: null, error: null })
        .execute();
      return id;
    },
    async state(id) {
      const row = await db.selectFrom('projection_rebuilds').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? null : stateOf(row);
    },
    async forget(id) {
      await db.deleteFrom('projection_rebuilds').where('id', '=', id).execute();
    },
    async take() {
      const rows = await db
        .selectFrom('projection_rebuilds')
        .select(['id', 'names', 'status'])
        .where('status', 'in', open)
        .orderBy('asked_at')
        .execute();
      if (rows.some(({ status }) => status === 'asked')) {
        await db.updateTable('projection_rebuilds').set({ status: 'taken' }).where('status', '=', 'asked').execute();
      }
      return rows.map(({ id, names }) => ({ id, names: names === null ? null : namesOf(JSON.parse(names)) }));
    },
    async end(id, error) {
      const outcome =
        error === null ? { status: 'done' } : { status: 'failed', error_code: error.code, error: error.message };
      await db.updateTable('projection_rebuilds').set(outcome).where('id', '=', id).execute();
    },
  };
}

function stateOf({ status, error_code, error }: Row): RebuildState {
  switch (status) {
    case 'asked':
    case 'taken':
    case 'done':
      return { status };
    default:
      return { status: 'failed', error: { code: codeOf(error_code), message: error ?? 'the rebuild failed' } };
  }
}

/** A newer program may know more of them. */
function codeOf(code: string | null): ErrorCode {
  return code !== null && isErrorCode(code) ? code : 'internal';
}

function namesOf(names: unknown): readonly string[] {
  return Array.isArray(names) ? names.map(String) : [];
}
