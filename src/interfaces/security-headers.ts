/** Headers that keep browsers from doing with an answer what it is not meant for. */
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

const YEAR_SECONDS = 31_536_000;

/**
 * Adds them to every answer; a route that sends a document brings the policy of the document.
 *
 * @param isTls whether browsers are told to come by TLS only from then on
 */
export function addSecurityHeaders(http: FastifyInstance, isTls: boolean): void {
  void http.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    // Documents may be framed by pages of their own origin, and their policy says so.
    xFrameOptions: { action: 'sameorigin' },
    strictTransportSecurity: isTls ? { maxAge: YEAR_SECONDS, includeSubDomains: false } : false,
  });
}
