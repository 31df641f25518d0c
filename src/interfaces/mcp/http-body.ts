/** Bodies of JSON-RPC requests: read as JSON whatever they call themselves, and refused in the words of JSON-RPC. */
import type { FastifyInstance } from 'fastify';
import { asRatchetError } from '../../domain/errors.ts';
import { readJson } from '../json-body.ts';

const PARSE_ERROR = -32_700;

/** A body that is no JSON: told by the route, because only it knows the form in which its clients read errors. */
class Unreadable {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** curl sends forms unless told otherwise, and the documents' own examples do not tell it. */
export function acceptAnyJson(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'string' }, async (_request: unknown, body: string | Buffer) => {
    try {
      return body.length === 0 ? undefined : readJson(body.toString());
    } catch (error) {
      return new Unreadable(asRatchetError(error).message);
    }
  });
}

/** @returns the body as JSON (undefined: there is none), or the answer to one that can not be read. */
export function jsonRpcBody(body: unknown): { readonly value: unknown } | { readonly refused: Response } {
  if (!(body instanceof Unreadable)) return { value: body ?? undefined };
  const error = { code: PARSE_ERROR, message: `Parse error: ${body.reason}` };
  return { refused: Response.json({ jsonrpc: '2.0', id: null, error }, { status: 400 }) };
}
