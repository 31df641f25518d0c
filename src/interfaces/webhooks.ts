/** Webhooks that come in: each is signed by its sender, counts once, and runs a task on what was sent or syncs a task source. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { executeTask, executeTaskInput } from '../../commands/execute-task.ts';
import { LOCAL_ADMIN, type Permission, type Principal } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import type { Signatures } from '../ports/signatures.ts';
import { readJson } from './json-body.ts';
import type { Core } from './operation.ts';
import { type Delivery, SeenDeliveries, syncBy } from './webhook-sync.ts';

/** One sender, as the configuration names it. */
export interface WebhookSettings {
  readonly name: string;
  /** `github` signs the body; any other signs `<timestamp>.<body>`. */
  readonly provider: string;
  readonly secret: string;
  /** Task that each delivery starts; this or `source`. */
  readonly task: string | null;
  /** Task source that each delivery syncs. */
  readonly source?: string | null;
}

/** Seconds that the clock of a sender may differ from ours, and for which a delivery counts. */
const WINDOW_SECONDS = 300;
/** Whose signature never holds: names that are not configured are answered like wrong signatures. */
const NOBODY = { provider: 'generic', secret: '', task: null };
const DELIVERY_ID = /^[\w.:-]{1,128}$/;

/** Adds `POST /webhooks/<name>` for each sender. They are open to all: the signature says who sends. */
export function addWebhooks(
  http: FastifyInstance,
  core: Core,
  senders: readonly WebhookSettings[],
  signatures: Signatures,
): void {
  const seen = new SeenDeliveries();
  void http.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // What was signed is the text as it came.
    scope.addContentTypeParser(
      '*',
      { parseAs: 'string' },
      async (_request: unknown, body: string | Buffer) => `${body}`,
    );
    scope.post<{ Params: { name: string } }>(
      '/webhooks/:name',
      { config: { isPublic: true, operation: 'receive_webhook' } },
      async (request, reply) => {
        const { name } = request.params;
        const sender: WebhookSettings = senders.find((known) => known.name === name) ?? { ...NOBODY, name };
        const delivery = checked(sender, request, signatures, core.execute.runtime.now());
        const answer =
          typeof sender.source === 'string'
            ? syncBy(core, { ...sender, source: sender.source }, delivery, seen)
            : await run(core, sender, delivery);
        return reply.code(202).send(answer);
      },
    );
  });
}

/** Fails with `unauthenticated` for a wrong signature or one that is too old; says no more, so that nobody can feel their way. */
function checked(sender: WebhookSettings, request: FastifyRequest, signatures: Signatures, now: number): Delivery {
  const body = typeof request.body === 'string' ? request.body : '';
  const header = (name: string): string => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : '';
  };
  const isGithub = sender.provider === 'github';
  const timestamp = header('x-webhook-timestamp');
  const signed = isGithub ? body : `${timestamp}.${body}`;
  const signature = header(isGithub ? 'x-hub-signature-256' : 'x-webhook-signature').replace(/^sha256=/, '');
  const isFresh = isGithub || Math.abs(now / 1_000 - Number(timestamp || Number.NaN)) <= WINDOW_SECONDS;
  const holds = signatures.matches(sender.secret, signed, signature) && sender.secret !== '';
  if (!holds || !isFresh) {
    throw new RatchetError('unauthenticated', 'the signature of the webhook does not hold');
  }
  const id = header(isGithub ? 'x-github-delivery' : 'x-webhook-id');
  if (!DELIVERY_ID.test(id)) {
    throw new RatchetError('invalid_request', 'x-webhook-id: name each delivery, so that it counts once');
  }
  return { id, event: header('x-github-event') || null, payload: payloadOf(body) };
}

function payloadOf(body: string): Json {
  const payload: Json = JSON.parse(JSON.stringify(readJson(body)));
  return payload;
}

/** The same delivery again is the same execution. */
async function run(core: Core, { name, task }: WebhookSettings, { id, event, payload }: Delivery) {
  if (task === null) {
    throw new RatchetError('unsupported', `webhooks.${name} has neither task nor source: nothing would be done`);
  }
  const { runtime } = core.execute;
  const input = executeTaskInput.parse({
    task_id: task,
    input: payload,
    idempotency_key: `${name}:${id}`,
    metadata: { webhook: name, delivery: id, ...(event === null ? {} : { event }) },
  });
  const source = { kind: 'webhook', sessionId: null, clientInfo: name } as const;
  const requested = await executeTask(
    core.execute,
    input,
    { source, parent: null, executionId: null },
    {
      principal: principalOf(name),
      commandId: runtime.newId(),
      correlationId: '',
      causationId: null,
      traceparent: null,
      now: runtime.now(),
    },
  );
  return { execution_id: requested.executionId, created: requested.created, position: requested.position };
}

/** May run tasks, and nothing else. */
function principalOf(name: string): Principal {
  const permissions = new Set<Permission>(['execute_tasks']);
  return { ...LOCAL_ADMIN, id: `webhook:${name}`, kind: 'system', name, permissions };
}
