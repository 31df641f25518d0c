/**
 * Entity tags (RFC 9110): whoever has a thing already is told so, and an edit can be bound to the version it was made on.
 * A tag is the hash of the answer; for things that can be edited it begins with their version, and edits look at that alone.
 */
import { RatchetError } from '../domain/errors.ts';
import type { Runtime } from '../ports/runtime.ts';

/** Answers about one thing that exists. */
const SINGLE: ReadonlySet<string> = new Set([
  'get_task',
  'get_schedule',
  'get_execution_status',
  'get_replay',
  'get_key',
]);
const VERSIONED: ReadonlySet<string> = new Set(['get_task', 'get_schedule']);
/** Operations that take the version they were made on as `base_version`. */
const BOUND: ReadonlySet<string> = new Set(['edit_task', 'delete_task', 'edit_schedule', 'delete_schedule']);

/** @returns whether answers of an operation have an entity tag. */
export function hasEtag(operation: string): boolean {
  return SINGLE.has(operation);
}

/** @returns whether an operation can be bound to a version by `If-Match`. */
export function takesIfMatch(operation: string): boolean {
  return BOUND.has(operation);
}

/** @returns the entity tag of an answer. */
export function etagOf(runtime: Pick<Runtime, 'sha256'>, operation: string, body: string, version: unknown): string {
  const hash = runtime.sha256(body).slice(0, 32);
  return VERSIONED.has(operation) && typeof version === 'number' ? `"v${version}-${hash}"` : `"${hash}"`;
}

/** @returns whether `If-None-Match` names this tag, compared weakly. */
export function isKnown(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch.trim() === '*' || tagsIn(ifNoneMatch).some((tag) => tag.replace(/^W\//, '') === etag);
}

/**
 * @returns the input bound to the version in `If-Match`; unbound where the operation has none, or for `*`.
 * Fails with `precondition_failed` for a tag that can not be current, and with `invalid_request` for tags of several versions.
 */
export function boundTo(
  operation: string,
  ifMatch: string | null,
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (ifMatch === null || !BOUND.has(operation) || ifMatch.trim() === '*') return input;
  const versions = [...new Set(tagsIn(ifMatch).flatMap((tag) => versionIn(tag) ?? []))];
  const [version] = versions;
  if (version === undefined) throw stale(ifMatch, undefined);
  if (versions.length > 1) throw refused('if-match', 'name one version');
  if (input['base_version'] !== undefined && Number(input['base_version']) !== version) {
    throw refused('base_version', `${String(input['base_version'])} is not the version in If-Match`);
  }
  return { ...input, base_version: version };
}

/** @returns the error as it is told to whoever sent `If-Match`. */
export function preconditionOf(ifMatch: string | null, error: unknown): unknown {
  const isStale =
    ifMatch !== null &&
    error instanceof RatchetError &&
    error.code === 'version_conflict' &&
    error.details['stream'] === undefined;
  return isStale ? stale(ifMatch, error) : error;
}

function stale(ifMatch: string, cause: RatchetError | undefined): RatchetError {
  const { expected, actual } = cause?.details ?? {};
  const said = cause === undefined ? '' : `: ${cause.message}`;
  return new RatchetError('precondition_failed', `If-Match ${ifMatch.slice(0, 100)} is not what is there now${said}`, {
    details: { ifMatch: ifMatch.slice(0, 100), ...(cause === undefined ? {} : { expected, actual }) },
  });
}

function refused(field: string, message: string): RatchetError {
  return new RatchetError('invalid_request', `${field}: ${message}`, { details: { problems: [{ field, message }] } });
}

function tagsIn(header: string): readonly string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/** Weak tags never match an edit. */
function versionIn(tag: string): number | null {
  const digits = /^"v(\d{1,15})-[0-9a-f]{32}"$/.exec(tag)?.[1];
  return digits === undefined ? null : Number(digits);
}
