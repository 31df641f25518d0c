/** `ratchet schedule`: makes, shows, switches and fires schedules in the database; a server that runs on it carries them out. */
import { z } from 'zod';
import type { App, AppSettings } from '../app.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { SCHEDULE_OPERATIONS } from '../interfaces/schedule-operations.ts';
import type { ExitCode } from './exit.ts';
import { withApp } from './inspect.ts';
import { type InputOptions, jsonInput } from './json-input.ts';
import { type Output, table } from './output.ts';

export interface CreateOptions extends InputOptions {
  readonly name?: string;
  readonly cron: string;
  readonly timezone?: string;
  readonly description?: string;
  readonly disabled?: boolean;
}

const shownForm = z.looseObject({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  task_name: z.string(),
  cron: z.string(),
  timezone: z.string(),
  next_run_at: z.string().nullable(),
});
const listForm = z.object({ schedules: z.array(shownForm), next_cursor: z.string().nullable() });
type Shown = z.infer<typeof shownForm>;

export function listSchedules(
  settings: AppSettings,
  { task, limit }: { readonly task?: string; readonly limit: number },
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async (app) => {
    const told = await ask(app, 'list_schedules', { ...(task === undefined ? {} : { task_id: task }), limit });
    const { schedules, next_cursor } = listForm.parse(told);
    output.result(told, () => (schedules.length === 0 ? 'no schedules' : rows(schedules)));
    if (next_cursor !== null) output.note('there are more; ask for them with a larger --limit');
    return 0;
  });
}

function rows(schedules: readonly Shown[]): string {
  return table([
    ['schedule', 'name', 'task', 'status', 'pattern', 'next'],
    ...schedules.map(({ id, name, task_name, status, cron, timezone, next_run_at }) => [
      id,
      name,
      task_name,
      status,
      `${cron} ${timezone}`,
      next_run_at ?? '-',
    ]),
  ]);
}

export function createSchedule(
  settings: AppSettings,
  task: string,
  options: CreateOptions,
  output: Output,
): Promise<ExitCode> {
  const { name = task, cron, timezone, description, disabled = false } = options;
  const input = {
    task_id: task,
    name,
    cron,
    ...(timezone === undefined ? {} : { timezone }),
    ...(description === undefined ? {} : { description }),
    input: jsonInput(options),
    enabled: !disabled,
  };
  return withApp(settings, async (app) => {
    const told = z.looseObject({ id: z.string() }).parse(await ask(app, 'create_schedule', input));
    const made = shownForm.parse(await ask(app, 'get_schedule', { schedule_id: told.id }));
    output.result(told, () => rows([made]));
    return 0;
  });
}

export function showSchedule(settings: AppSettings, id: string, output: Output): Promise<ExitCode> {
  return withApp(settings, async (app) => {
    const told = shownForm.parse(await ask(app, 'get_schedule', { schedule_id: id }));
    output.result(told, () => JSON.stringify(told, null, 2));
    return 0;
  });
}

export function changeSchedule(
  settings: AppSettings,
  operation: string,
  id: string,
  more: { readonly reason?: string },
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async (app) => {
    const told = z
      .looseObject({ execution_id: z.string().optional() })
      .parse(await ask(app, operation, { schedule_id: id, ...more }));
    output.result(told, () =>
      told.execution_id === undefined ? `${operation.replace('_', ' ')}: ${id}` : `execution ${told.execution_id}`,
    );
    return 0;
  });
}

/** Carries out an operation as the person at this machine; its answer includes everything that is stored. */
async function ask(app: App, name: string, input: object): Promise<unknown> {
  const operation = SCHEDULE_OPERATIONS.find((known) => known.name === name);
  if (operation === undefined) throw new Error(`there is no operation ${name}`);
  const head = await app.store.head();
  return operation.run(app.core, input, {
    principal: LOCAL_ADMIN,
    source: { kind: 'cli', sessionId: null, clientInfo: null },
    idempotencyKey: null,
    traceparent: null,
    minPosition: head,
    seen: head,
  });
}
