/** `ratchet run-once`: runs a task from files to its end, with everything recorded, and no server. */
import { publishDefinition } from '../../commands/publish-task.ts';
import { type App, type AppSettings, openApp } from '../app.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import { type Json, START } from '../domain/event.ts';
import { type Caller, metaOf } from '../interfaces/operation.ts';
import { OPERATIONS, toldEnd } from '../interfaces/operations.ts';
import type { ExitCode } from './exit.ts';
import { tasksFrom } from './from-fs.ts';
import { type InputOptions, jsonInput } from './json-input.ts';
import { type Output, pretty } from './output.ts';
import { profileFormatOf, writeProfile } from './profile.ts';
import { writeBundle } from './recording.ts';

export interface RunOnceOptions extends InputOptions {
  readonly fromFs: string;
  /** Folder to write a recording to. */
  readonly record?: string | undefined;
  /** File to write a processor-time profile to. */
  readonly profile?: string | undefined;
}

const CALLER: Caller = {
  principal: LOCAL_ADMIN,
  source: { kind: 'cli', sessionId: null, clientInfo: null },
  idempotencyKey: null,
  traceparent: null,
  minPosition: START,
  seen: START,
};

interface Answer {
  readonly execution_id: string;
  readonly status: string;
  readonly output: Json;
  readonly duration_ms: number | null;
  readonly error: {
    readonly error_type: string;
    readonly message: string;
    readonly code: string;
    readonly suggestions: readonly string[];
  } | null;
}

/** Runs it; answers 0 when it completed, 1 when it did not. */
export async function runOnce(settings: AppSettings, options: RunOnceOptions, output: Output): Promise<ExitCode> {
  const input = jsonInput(options);
  if (options.profile !== undefined) profileFormatOf(options.profile);
  const { tasks, main } = await tasksFrom(options.fromFs);
  const app = await openApp({ ...settings, eventStoreUrl: 'memory:', sources: [], auditFile: null, warmWorkers: 1 });
  try {
    for (const definition of tasks) {
      await publishDefinition(
        app.core.publish,
        definition,
        { intent: 'sync', enabled: true, baseVersion: null, source: 'cli' },
        metaOf(app.core, CALLER, 'publish', definition.name),
      );
    }
    const answer = await execute(app, main.name, input, output);
    if (options.record !== undefined) {
      output.note(
        `recorded to ${await writeBundle(app.store, app.core.execute.blobs, answer.execution_id, options.record)}`,
      );
    }
    output.result(answer, () => told(answer));
    if (options.profile !== undefined) await writeProfile(app.core, answer.execution_id, options.profile, output);
    return answer.status === 'completed' ? 0 : 1;
  } finally {
    await app.close(0);
  }
}

async function execute(app: App, taskId: string, input: Json, output: Output): Promise<Answer> {
  const operation = OPERATIONS.find(({ name }) => name === 'execute_task');
  if (operation === undefined) throw new RatchetError('internal', 'execute_task is not an operation');
  const stop = new AbortController();
  const watching = watchProgress(app, output, stop.signal);
  const first = (await operation.run(app.core, { task_id: taskId, input, wait_seconds: 50 }, CALLER)) as Answer;
  let answer = first;
  while (answer.status === 'running') {
    const end = await app.core.awaitEnd(first.execution_id, 60_000, false);
    if (end !== null) answer = { ...first, ...(await toldEnd(app.core, end.event)) };
  }
  stop.abort();
  await watching;
  return answer;
}

/** Log lines and progress as they happen, on stderr. */
async function watchProgress(app: App, output: Output, signal: AbortSignal): Promise<void> {
  for await (const page of app.store.subscribe(START, { categories: ['telemetry'] }, signal)) {
    for (const event of page.events) {
      const data = JSON.parse(event.payload);
      if (event.type === 'LogLineWritten') output.note(`${data.level.padEnd(5)} ${data.message}`);
      if (event.type === 'ProgressReported') output.progress(data.progress, data.message ?? data.step ?? '');
    }
  }
}

function told({ status, output, duration_ms, error }: Answer): string {
  if (error === null) return status === 'completed' ? pretty(output) : `${status}`;
  return `${error.error_type}: ${error.message} (${error.code}, after ${duration_ms ?? 0} ms)\n${error.suggestions.join('\n')}`;
}
