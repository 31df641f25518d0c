/** Serves the OpenAPI document and its page; both tell nothing about what is stored, and are open to all. */
import type { FastifyInstance } from 'fastify';
import type { Runtime } from '../ports/runtime.ts';
import { openApiOf } from './openapi.ts';
import { openApiPage, STYLE } from './openapi-page.ts';

const OPEN = { config: { isPublic: true } };

/** @returns the paths at which they are served. */
export function openApiPaths(prefix: string): { readonly document: string; readonly pages: readonly string[] } {
  return { document: `${prefix}/openapi.json`, pages: [...new Set(['/docs', `${prefix}/docs`])] };
}

/** Adds both. */
export function addOpenApi(http: FastifyInstance, runtime: Pick<Runtime, 'sha256'>, prefix: string): void {
  const { document: address, pages } = openApiPaths(prefix);
  const document = openApiOf(prefix);
  const text = JSON.stringify(document);
  const page = openApiPage(document, address);
  const hash = Buffer.from(runtime.sha256(STYLE), 'hex').toString('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  http.get(address, OPEN, async (_request, reply) => reply.type('application/json; charset=utf-8').send(text));
  for (const path of pages) {
    http.get(path, OPEN, async (_request, reply) =>
      reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
    );
  }
}
