/** Who may be told that a resource has changed: whoever might read it. */
import { ProtocolErrorCode, ResourceNotFoundError } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { authorize, type Permission, type Principal } from '../../domain/access.ts';
import { isRatchetError } from '../../domain/errors.ts';
import { authorizeTasks, type Core } from '../operation.ts';
import type { Subject } from '../task-access.ts';
import { type ResourceUri, resourceUri } from './resource-uri.ts';

const OPERATION = 'resources/subscribe';

/** @returns whether the caller may see what is at an address; there need be nothing yet. */
export async function maySee(core: Core, principal: Principal, uri: string): Promise<boolean> {
  const meant = resourceUri(uri);
  // Events do not change.
  if (meant === null || meant.kind === 'event') return false;
  try {
    authorize(principal, PERMISSION[meant.kind], OPERATION);
    await authorizeTasks(core, { principal }, [subjectOf(meant)], OPERATION);
    return true;
  } catch (error) {
    if (isRatchetError(error, 'permission_denied')) return false;
    throw error;
  }
}

const PERMISSION: Readonly<Record<Exclude<ResourceUri['kind'], 'event'>, Permission>> = {
  execution: 'read',
  task: 'read',
  logs: 'read_logs',
  trace: 'read_traces',
};

function subjectOf(meant: Exclude<ResourceUri, { kind: 'event' }>): Subject {
  if (meant.kind === 'task') return { kind: 'task', id: meant.name };
  return { kind: 'execution', id: meant.executionId };
}

const listening = z.looseObject({ id: z.union([z.string(), z.number()]), method: z.literal('subscriptions/listen') });
const watched = z.looseObject({
  params: z.looseObject({
    notifications: z.looseObject({ resourceSubscriptions: z.array(z.string().max(2_048)).optional() }),
  }),
});
const MOST_WATCHED = 1_000;

/** @returns the refusal of a request that wants to be told of what the caller may not see; null for any other request. */
export async function refusedListening(core: Core, principal: Principal, body: unknown): Promise<Response | null> {
  const asked = listening.safeParse(body);
  if (!asked.success) return null;
  const refuse = (message: string, data: object): Response => {
    const error = { code: ProtocolErrorCode.InvalidParams, message, data };
    return Response.json({ jsonrpc: '2.0', id: asked.data.id, error });
  };
  const form = watched.safeParse(body);
  if (!form.success) return refuse("Invalid params: 'notifications' must be a valid filter", {});
  const uris = form.data.params.notifications.resourceSubscriptions ?? [];
  if (uris.length > MOST_WATCHED) return refuse(`At most ${MOST_WATCHED} resources can be watched at once`, {});
  for (const uri of uris) {
    if (!(await maySee(core, principal, uri)))
      return refuse(new ResourceNotFoundError(uri.slice(0, 256)).message, { uri });
  }
  return null;
}
