/** Sessions of browsers in the OpenAPI document: they are no operations, so that nothing else tells of them there. */
import { PERMISSIONS } from '../domain/access.ts';
import { SESSION_COOKIE } from './session-cookie.ts';
import { CSRF_HEADER } from './session-entry.ts';

type Schema = Readonly<Record<string, unknown>>;

export const SESSION_SCHEMES = {
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: SESSION_COOKIE,
    description: `Of a browser that opened a session with POST /session; named __Host-${SESSION_COOKIE} over TLS. It counts only where neither key nor token comes.`,
  },
  csrf: {
    type: 'apiKey',
    in: 'header',
    name: CSRF_HEADER,
    description: 'Beside the cookie, for every method other than GET, HEAD and OPTIONS; GET /session tells it.',
  },
} as const;

const moment = { type: ['string', 'null'], format: 'date-time' };
const patterns = { type: 'array', items: { type: 'string' } };

const SESSION: Schema = {
  type: 'object',
  required: ['principal', 'permissions', 'tasks', 'csrf_token', 'expires_at'],
  properties: {
    principal: { type: 'string', description: 'Who is logged in.' },
    permissions: { type: 'array', items: { type: 'string', enum: PERMISSIONS } },
    tasks: { type: 'object', properties: { allowed: patterns, denied: patterns } },
    csrf_token: { type: ['string', 'null'], description: 'Null where the request came with no session.' },
    expires_at: { ...moment, description: 'Null where it does not end by itself.' },
  },
};

const ENDED: Schema = { type: 'object', properties: { status: { type: 'string', enum: ['ended'] } } };

/** @returns the path of sessions below `prefix`, and its methods. */
export function sessionPaths(prefix: string): Readonly<Record<string, Readonly<Record<string, Schema>>>> {
  const described = (operationId: string, summary: string, status: number, schema: Schema): Schema => ({
    operationId,
    tags: ['session'],
    summary,
    parameters: [],
    responses: {
      [status]: { description: 'The answer.', content: { 'application/json': { schema } } },
      default: { $ref: '#/components/responses/Problem' },
    },
  });
  return {
    [`${prefix}/session`]: {
      get: described('get_session', 'Who is logged in, and the CSRF token of the session.', 200, SESSION),
      post: described(
        'open_session',
        'Open a session for a browser with a key or token; sets its cookie.',
        201,
        SESSION,
      ),
      delete: described('close_session', 'End the session at once, on every node.', 200, ENDED),
    },
  };
}
