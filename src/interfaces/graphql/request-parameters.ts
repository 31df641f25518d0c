/** Reads the parameters of a request at the door: their forms are checked before GraphQL sees them. */
import { getGraphQLParameters } from 'graphql-helix';
import { RatchetError } from '../../domain/errors.ts';
import { readJson } from '../json-body.ts';

export interface GraphqlRequest {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
}

interface HttpParts {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query: unknown;
  readonly body: unknown;
}

/** Fails with `invalid_request` naming the parameter, or `invalid_json`. */
export function requestParameters({ method, headers, query, body }: HttpParts): GraphqlRequest {
  const isGet = method === 'GET';
  if (!isGet && Array.isArray(body)) throw refused('(body)', 'one request at a time is taken, not a list of them');
  if (!isGet && (typeof body !== 'object' || body === null)) throw refused('(body)', 'an object is expected');
  const given: Readonly<Record<string, unknown>> = { ...getGraphQLParameters({ method, headers, query, body }) };
  const extensions =
    isGet || typeof body !== 'object' || body === null || !('extensions' in body)
      ? given['extensions']
      : body.extensions;
  mapOf('extensions', extensions, isGet);
  const { query: text, operationName, variables } = given;
  if (typeof text !== 'string') throw refused('query', 'the text of a document is expected');
  const name = operationName === '' ? null : (operationName ?? null);
  if (name !== null && typeof name !== 'string') throw refused('operationName', 'text is expected');
  return { query: text, operationName: name, variables: mapOf('variables', variables, isGet) };
}

/** Over an address, maps are written as JSON. */
function mapOf(name: string, given: unknown, isText: boolean): Readonly<Record<string, unknown>> {
  if (given === undefined || given === null || (isText && given === '')) return {};
  if (isText && typeof given !== 'string') throw refused(name, 'it is given more than once');
  const value = isText && typeof given === 'string' ? readJson(given) : given;
  if (value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return { ...value };
  throw refused(name, 'a map is expected');
}

function refused(field: string, message: string): RatchetError {
  return new RatchetError('invalid_request', `${field}: ${message}`, { details: { problems: [{ field, message }] } });
}
