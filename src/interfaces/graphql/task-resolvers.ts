/** What hangs on a task: its current version, its executions, its versions. */
import type { Position } from '../../domain/event.ts';
import type { GraphqlContext } from './context.ts';
import { firstPage } from './execution-resolvers.ts';
import { ask } from './operation-resolvers.ts';
import { pageSize, statusOf } from './page-arguments.ts';
import type { Entries, Resolver, Resolvers } from './resolver.ts';
import { textOf } from './values.ts';

const idOf = ({ id }: Entries): string => String(id);

/** A field of the version, which lists leave out: read once for all tasks that ask. */
const versioned =
  (name: string): Resolver =>
  async (source, _args, context) => {
    if (Object.hasOwn(source, name)) return source[name];
    await context.caughtUp();
    const found: Entries = (await context.taskVersions.load(idOf(source), null)) ?? {};
    return found[name];
  };

/** @returns a task by id, as it is at `position` or later; null where there is none, or none that the caller may see. */
export async function taskById(context: GraphqlContext, id: unknown, position?: Position): Promise<unknown> {
  const taskId = textOf(id);
  if (taskId === null) return null;
  context.authorize('read', 'get_task');
  await context.caughtUp(position);
  return (await context.tasks.load(taskId, null)) ?? null;
}

const executions: Resolver = async (source, args, context) => {
  const first = pageSize(args);
  const status = statusOf(args);
  const after = textOf(args['after']);
  if (after !== null) {
    return ask('list_executions', { task_id: idOf(source), status, limit: first, cursor: after }, context);
  }
  context.authorize('read', 'list_executions');
  await context.caughtUp();
  return firstPage(await context.executionsOfTask.load(idOf(source), { status, first }));
};

const versions: Resolver = (source, args, context) =>
  ask('list_task_versions', { task_id: idOf(source), limit: pageSize(args), cursor: args['after'] }, context);

export const TASK_RESOLVERS: Resolvers = {
  Task: {
    code: versioned('code'),
    inputSchema: versioned('input_schema'),
    outputSchema: versioned('output_schema'),
    tests: versioned('tests'),
    metadata: versioned('metadata'),
    publishedBy: versioned('published_by'),
    publishedAt: versioned('published_at'),
    executions,
    versions,
  },
  TaskTicket: { task: ({ id, position }, _args, context) => taskById(context, id, textOf(position) ?? undefined) },
  TaskUpdate: {
    task: ({ task_id, position }, _args, context) => taskById(context, task_id, textOf(position) ?? undefined),
  },
};
