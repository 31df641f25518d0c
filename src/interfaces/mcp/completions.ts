/** Completes what people type into prompts and addresses of resources: names of tasks, and executions that exist. */
import type { CompleteResult, Server, ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { argumentsOf } from './prompts.ts';
import { RESOURCE_TEMPLATES } from './resource-uri.ts';
import type { ToolCall } from './tool.ts';

/** As many as the protocol allows in one answer. */
const MOST = 100;

export function serveCompletions(server: Server, callOf: (context: ServerContext) => ToolCall): void {
  server.setRequestHandler('completion/complete', async ({ params: { ref, argument } }, context) => {
    const known =
      ref.type === 'ref/prompt'
        ? argumentsOf(ref.name)
        : RESOURCE_TEMPLATES.filter(({ uriTemplate }) => uriTemplate === ref.uri).flatMap(parameters);
    if (!known.includes(argument.name)) return completion([], false);
    return valuesFor(callOf(context), argument);
  });
}

function parameters({ uriTemplate }: { readonly uriTemplate: string }): readonly string[] {
  return [...uriTemplate.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) => (name === undefined ? [] : [name]));
}

async function valuesFor(call: ToolCall, { name, value }: { name: string; value: string }): Promise<CompleteResult> {
  switch (name) {
    case 'task_id':
    case 'name':
      return taskNames(call, value);
    case 'execution_id':
      return executionIds(call, value);
    default:
      return completion([], false);
  }
}

const tasks = z.object({ tasks: z.array(z.object({ name: z.string() })), next_cursor: z.string().nullable() });

async function taskNames(call: ToolCall, typed: string): Promise<CompleteResult> {
  const filter = typed === '' ? {} : { filter: typed.slice(0, 256) };
  const told = tasks.parse(await call.ask('list_available_tasks', { ...filter, limit: MOST }));
  const names = told.tasks.map((task) => task.name);
  const lower = typed.toLowerCase();
  const begins = (one: string): boolean => one.toLowerCase().startsWith(lower);
  // What begins so before what only holds it.
  return completion([...names.filter(begins), ...names.filter((one) => !begins(one))], told.next_cursor !== null);
}

const executions = z.object({
  executions: z.array(z.object({ execution_id: z.string() })),
  next_cursor: z.string().nullable(),
});

async function executionIds(call: ToolCall, typed: string): Promise<CompleteResult> {
  const told = executions.parse(await call.ask('list_executions', { limit: 1_000 }));
  const ids = told.executions.map(({ execution_id }) => execution_id).filter((id) => id.startsWith(typed));
  const latest = 'latest'.startsWith(typed) ? ['latest'] : [];
  return completion([...latest, ...ids], ids.length > MOST || told.next_cursor !== null);
}

function completion(values: readonly string[], hasMore: boolean): CompleteResult {
  return {
    completion: { values: values.slice(0, MOST), total: values.length, hasMore: hasMore || values.length > MOST },
  };
}
