/** Resources: what the log knows, under addresses that clients list, read and keep an eye on. */
import {
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  type Resource,
  ResourceNotFoundError,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { isRatchetError, RatchetError } from '../../domain/errors.ts';
import type { ResourceChanges } from './resource-changes.ts';
import { executionUri, RESOURCE_TEMPLATES, type ResourceUri, resourceUri, taskUri } from './resource-uri.ts';
import type { ToolCall } from './tool.ts';
import type { WatchedResources } from './watched-resources.ts';

/** Rows of a page of the list. */
const PAGE = 50;
/** Log lines in a resource; more are read with the tool. */
const LOG_LINES = 500;
const MOST_WATCHED = 1_000;

export interface ResourceDeps {
  readonly changes: ResourceChanges;
  readonly watched: WatchedResources;
  /** Makes of a request the call of whoever sent it. */
  readonly callOf: (context: ServerContext) => ToolCall;
}

export function serveResources(server: Server, { changes, watched, callOf }: ResourceDeps): void {
  server.setRequestHandler('resources/list', async ({ params }, context) =>
    page(callOf(context), params?.cursor === undefined ? FIRST : placeIn(params.cursor)),
  );
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [...RESOURCE_TEMPLATES] }));
  server.setRequestHandler('resources/read', async ({ params }, context) => read(callOf(context), params.uri));
  watched.whenUsed(() => tellChanges(server, changes, (uri) => watched.has(uri)));
  server.setRequestHandler('resources/subscribe', async ({ params }, context) => {
    // Whoever may not read it is not told that it changes either.
    await read(callOf(context), params.uri);
    if (watched.size >= MOST_WATCHED && !watched.has(params.uri)) {
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `At most ${MOST_WATCHED} resources can be watched at once`,
      );
    }
    await watched.change(params.uri, true);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', async ({ params }) => {
    await watched.change(params.uri, false);
    return {};
  });
}

/** Tells the client of changes until the conversation ends. */
export function tellChanges(
  server: Server,
  changes: ResourceChanges,
  isWanted: (uri: string) => boolean | Promise<boolean>,
): void {
  const tell = async (uri: string): Promise<void> => {
    if (await isWanted(uri)) await server.sendResourceUpdated({ uri });
  };
  const end = changes.watch((uris) => {
    // Whoever is gone is told nothing more; the end of the conversation is told elsewhere.
    for (const uri of uris) void tell(uri).catch(() => undefined);
  });
  const before = server.onclose;
  server.onclose = () => {
    end();
    before?.();
  };
}

/** Where a page of the list begins: first all tasks, then executions, the newest first. */
type Place = readonly ['tasks' | 'executions', string | null];
const FIRST: Place = ['tasks', null];
const placeForm = z.tuple([z.enum(['tasks', 'executions']), z.string().nullable()]);

/** Fails with -32602 for a cursor that did not come from here. */
function placeIn(cursor: string): Place {
  try {
    return placeForm.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Invalid cursor: use one from an answer, unchanged');
  }
}

const tasks = z.object({
  tasks: z.array(z.object({ name: z.string(), description: z.string(), version: z.number() })),
  next_cursor: z.string().nullable(),
});
const executions = z.object({
  executions: z.array(
    z.object({ execution_id: z.string(), task_name: z.string(), status: z.string(), requested_at: z.string() }),
  ),
  next_cursor: z.string().nullable(),
});

async function page(call: ToolCall, [kind, cursor]: Place): Promise<{ resources: Resource[]; nextCursor?: string }> {
  const asked = { limit: PAGE, ...(cursor === null ? {} : { cursor }) };
  if (kind === 'tasks') {
    const told = tasks.parse(await listed(call.ask('list_available_tasks', asked)));
    const resources = told.tasks.map(({ name, description, version }) => ({
      uri: taskUri(name),
      name,
      description: `Version ${version}. ${description}`.slice(0, 300),
      mimeType: 'application/json',
    }));
    return { resources, ...next(told.next_cursor === null ? ['executions', null] : ['tasks', told.next_cursor]) };
  }
  const told = executions.parse(await listed(call.ask('list_executions', asked)));
  const resources = told.executions.map(({ execution_id, task_name, status, requested_at }) => ({
    uri: executionUri(execution_id),
    name: `${task_name} ${execution_id}`,
    description: `${status}, requested at ${requested_at}`,
    mimeType: 'application/json',
  }));
  return { resources, ...(told.next_cursor === null ? {} : next(['executions', told.next_cursor])) };
}

function next(place: Place): { readonly nextCursor: string } {
  return { nextCursor: Buffer.from(JSON.stringify(place)).toString('base64url') };
}

/** A cursor of ours may carry one of the operation's that is none. */
async function listed<Result>(asked: Promise<Result>): Promise<Result> {
  return asked.catch((error: unknown) => {
    if (!isRatchetError(error)) throw error;
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message, { code: error.code });
  });
}

const GONE = ['execution_not_found', 'task_not_found', 'not_found'] as const;

/** Fails with -32602: what is not there, and what the caller may not see, in one and the same way. */
export async function read(call: ToolCall, uri: string): Promise<ReadResourceResult> {
  const meant = resourceUri(uri);
  if (meant === null) throw new ResourceNotFoundError(uri);
  try {
    const text = JSON.stringify(await ask(call, meant));
    assertSize(text, call.settings.maxOutputBytes);
    return { contents: [{ uri, mimeType: 'application/json', text }] };
  } catch (error) {
    if (GONE.some((code) => isRatchetError(error, code))) throw new ResourceNotFoundError(uri);
    if (isRatchetError(error, 'permission_denied')) throw new ResourceNotFoundError(uri);
    if (isRatchetError(error)) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message, { code: error.code });
    }
    throw error;
  }
}

function ask(call: ToolCall, meant: ResourceUri): Promise<unknown> {
  switch (meant.kind) {
    case 'execution':
      return call.ask('get_execution_status', { execution_id: meant.executionId });
    case 'logs':
      return call.ask('get_execution_logs', { execution_id: meant.executionId, limit: LOG_LINES });
    case 'trace':
      return call.ask('get_execution_trace', { execution_id: meant.executionId });
    case 'task': {
      const version = meant.version === null ? {} : { version: meant.version };
      return call.ask('get_task', { task_id: meant.name, ...version });
    }
    case 'event':
      return call.ask('get_event', { position: meant.position });
    default:
      return meant satisfies never;
  }
}

function assertSize(text: string, most: number): void {
  const size = Buffer.byteLength(text);
  if (size <= most) return;
  throw new RatchetError('response_too_large', `the resource has ${size} bytes, and an answer at most ${most}`);
}
