/** Keys of the HTTP side: listeners, surfaces, sizes and rates. */
import type { z } from 'zod';
import { list, maybe, named, required, section, setting, unset } from './fields.ts';
import { choice, duration, flag, matching, network, path, port, rate, secret, size, text, whole } from './kinds.ts';

const corsShape = {
  enabled: setting(flag, true, 'Whether cross-origin headers are sent.'),
  origins: list(text, 'Origins of pages that may call, such as https://app.example.com, or "*".'),
  credentials: setting(flag, false, 'Whether pages may send cookies and credentials.'),
};

/** @returns the section on cross-origin calls. */
export function cors(meaning: string): z.ZodObject<typeof corsShape, z.core.$strip> {
  return section(meaning, corsShape);
}

const route = matching('a path beginning with /', /^\/[^\s?#]*$/);

export const server = section('The HTTP server of `serve`.', {
  host: setting(text, '127.0.0.1', 'Address to bind.'),
  port: setting(port, 8080, 'Port to bind; 0 takes a free one.'),
  roles: list(
    choice(['api', 'worker', 'projector']),
    'What this node does: answer callers, run executions and fire schedules, keep read models; all of it unless named.',
  ),
  shutdownDelayMs: setting(
    duration('s'),
    0,
    'How long a node that ends goes on answering after its health has said so: as long as a balancer takes to notice.',
  ),
  cors: cors('Which web pages may call REST and GraphQL.'),
  keepAliveMs: setting(duration('s'), 60_000, 'How long an idle connection stays open.'),
  requestTimeoutMs: setting(duration('s'), 30_000, 'Longest time for one request; executions go on beyond it.'),
  trustProxy: list(network, 'Proxies whose X-Forwarded-* headers are believed.'),
  workerThreads: unset(whole(1), 'Sets workers.count where that is unset.'),
  maxBlockingThreads: unset(whole(1), 'Accepted and without effect: no blocking threads exist here.', { inert: true }),
  tls: maybe(
    section('Serves HTTPS itself; usually a reverse proxy does.', {
      cert: required(path, 'Certificate chain in PEM.'),
      key: required(path, 'Private key in PEM.'),
    }),
  ),
});

export const rest = section('The REST interface.', {
  enabled: setting(flag, true, 'Whether REST is served.'),
  prefix: setting(route, '/api/v1', 'What its paths begin with.'),
  cors: maybe(cors('Origins for REST alone; server.cors holds where absent.')),
});

export const graphql = section('The GraphQL interface.', {
  enabled: setting(flag, true, 'Whether GraphQL is served.'),
  endpoint: setting(route, '/graphql', 'Its path, for queries and subscriptions.'),
  playground: setting(flag, false, 'Whether a browser gets an editor there.'),
  introspection: setting(flag, true, 'Whether the schema may be asked for.'),
});

function limit(meaning: string) {
  return section(meaning, {
    requestsPerMinute: unset(rate, 'Requests allowed; a bare number counts per minute.'),
    burstSize: unset(whole(1), 'Requests that may come at once.', { fallbackNote: 'the rate' }),
  });
}

export const rateLimiting = section('Limits on requests; all that are set are enforced and the strictest wins.', {
  global: limit('All callers together.'),
  perUser: limit('Each authenticated caller.'),
  security: limit('Each caller, by key or else by address.'),
  rest: limit('REST, all callers together.'),
  endpoints: named(limit('One path.'), 'Single paths, such as /graphql.'),
  mcp: section('MCP calls of one caller.', {
    requestsPerMinute: unset(rate, 'All messages.'),
    globalPerMinute: unset(rate, 'All tool calls, all callers together.'),
    executeTaskPerMinute: unset(rate, 'Executions started, each batch item counted.'),
    batchExecutePerMinute: unset(rate, 'Batches started.'),
  }),
  window: maybe(
    section('One fixed window for each key, else each address.', {
      windowMs: setting(duration('ms'), 900_000, 'Length of the window.', { key: 'window_ms' }),
      maxRequests: setting(whole(1), 100, 'Requests in one window.'),
    }),
  ),
});

export const limits = section('Sizes and counts with safe defaults.', {
  maxRequestSize: setting(size, 10_485_760, 'Largest request body.'),
  maxResponseSize: setting(size, 52_428_800, 'Largest response body.'),
  maxConcurrentConnections: setting(whole(1), 1000, 'Open connections.'),
  taskExecutionMemoryLimit: setting(size, 134_217_728, 'Memory of one execution unless its task says otherwise.'),
});

const webhook = section('One sender of webhooks.', {
  provider: setting(text, 'generic', 'Whose way of signing is used, such as github.'),
  secret: required(secret, 'Shared secret that signatures are checked with.'),
  task: unset(text, 'Task that each delivery starts; this or source.'),
  source: unset(text, 'Task source that each delivery syncs; this or task.'),
});

export const webhooks = named(webhook, 'Senders of webhooks, by name; deliveries arrive at /webhooks/<name>.');
