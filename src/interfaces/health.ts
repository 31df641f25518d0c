/** Health for load balancers and people: quick and open at `/health`, with every part below the prefix. */
import type { FastifyInstance } from 'fastify';
import { asRatchetError } from '../domain/errors.ts';

/** Load balancers have no keys, and look all the time. */
const OPEN = { config: { isPublic: true, isUnlimited: true } };

export interface HealthOptions {
  readonly prefix: string;
  readonly version: string;
  /** Where every part is told, too; nowhere else where left out. */
  readonly statusPath?: string;
}

/** Nothing more should be sent there by whoever chooses between nodes. */
const NOT_READY: ReadonlySet<string> = new Set(['unhealthy', 'draining']);

/**
 * `read` tells the state of all parts; its failure is told as unhealthy, never as an error page. Answered with 503 is what
 * should get no requests; `/live` says only that the process answers, so that nobody restarts it because a database is away.
 */
export function addHealth(
  http: FastifyInstance,
  read: () => Promise<{ readonly status: 'ok' | 'degraded' | 'draining' } & object>,
  { prefix, version, statusPath }: HealthOptions,
): void {
  const startedAt = process.uptime();
  const base = () => ({ version, uptime_seconds: Math.round(process.uptime() - startedAt), node: process.version });
  const look = async (): Promise<{ readonly status: string; readonly reason?: string } & object> =>
    read().catch((error: unknown) => ({ status: 'unhealthy', reason: reasonOf(error) }));
  http.get('/health', OPEN, async (_request, reply) => {
    const { status, reason } = await look();
    return reply.code(NOT_READY.has(status) ? 503 : 200).send({ status, reason, ...base() });
  });
  http.get('/live', OPEN, async () => ({ status: 'ok', ...base() }));
  const paths = [...(prefix === '' ? [] : [`${prefix}/health`]), ...(statusPath === undefined ? [] : [statusPath])];
  for (const path of paths) {
    http.get(path, OPEN, async (_request, reply) => {
      const health = await look();
      return reply.code(NOT_READY.has(health.status) ? 503 : 200).send({ ...base(), ...health });
    });
  }
}

/** Anybody may read it: not with the address of the database, and nothing of what went wrong inside. */
function reasonOf(error: unknown): string {
  const { code } = asRatchetError(error);
  return code === 'store_unavailable' ? 'Database connection failed' : code;
}
