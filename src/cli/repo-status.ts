/** `ratchet repo status`: what is in the configured task sources now, read without a server and without publishing anything. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openOutbound } from '../../infra/outbound.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { openSchemaCheck } from '../../infra/schema-check.ts';
import { openTaskSource } from '../../infra/sources/open.ts';
import type { AppSettings } from '../app.ts';
import { asRatchetError } from '../domain/errors.ts';
import { isoTime } from '../domain/time.ts';
import type { BrokenTask, TaskDefinition, TaskSource } from '../ports/task-source.ts';
import { problemsOf } from './check-tasks.ts';
import type { ExitCode } from './exit.ts';
import type { Output } from './output.ts';

interface Told {
  readonly name: string;
  readonly uri: string;
  readonly ref: string | null;
  readonly branch: string | null;
  readonly revision: string | null;
  readonly status: 'ok' | 'broken tasks' | 'last good copy' | 'unreadable';
  readonly tasks: readonly string[];
  readonly broken: readonly BrokenTask[];
  readonly error: string | null;
  /** When what is told was last known to be there; null: never. */
  readonly last_sync_at: string | null;
}

/** Answers 1 when a source can not be read or a task is broken. */
export async function repoStatus(settings: AppSettings, output: Output): Promise<ExitCode> {
  const runtime = systemRuntime();
  const outbound = openOutbound({ allow: settings.outboundAllow });
  const sandbox = await openSandbox({ size: 1, warm: 0 });
  const schemas = openSchemaCheck();
  const passing = mkdtempSync(join(tmpdir(), 'ratchet-sources-'));
  const deps = { outbound, copiesFolder: settings.copiesFolder ?? passing, now: () => runtime.now() };
  const problems = (task: TaskDefinition) => problemsOf(task, schemas, sandbox);
  try {
    const reading = settings.sources.map((source) => tell(openTaskSource(source, deps), problems, runtime.now()));
    const sources = await Promise.all(reading);
    output.result({ sources }, () => sources.map(asText).join('\n\n') || 'no task source is configured');
    return sources.every(({ status }) => status === 'ok') ? 0 : 1;
  } finally {
    rmSync(passing, { recursive: true, force: true });
    await Promise.all([sandbox.close(), outbound.close()]);
  }
}

async function tell(
  source: TaskSource,
  problems: (task: TaskDefinition) => readonly string[],
  now: number,
): Promise<Told> {
  const place = { name: source.name, uri: source.address, ref: source.ref };
  try {
    const { tasks, broken, revision, branch, stale } = await source.list();
    const wrong = tasks.flatMap((task) => problems(task).map((reason) => ({ path: task.file, reason })));
    const all = [...broken, ...wrong];
    const status = stale !== null ? 'last good copy' : all.length > 0 ? 'broken tasks' : 'ok';
    const at = { error: stale?.reason ?? null, last_sync_at: stale?.since ?? isoTime(now) };
    return { ...place, branch, revision, status, tasks: tasks.map(({ name }) => name), broken: all, ...at };
  } catch (error) {
    const { message } = asRatchetError(error);
    const nothing = { branch: null, revision: null, tasks: [], broken: [], last_sync_at: null };
    return { ...place, ...nothing, status: 'unreadable', error: message };
  }
}

function asText({ name, uri, ref, branch, revision, status, tasks, broken, error, last_sync_at }: Told): string {
  const facts: readonly (readonly [string, string | null])[] = [
    ['uri', uri],
    ['ref', ref ?? branch],
    ['revision', revision],
    ['tasks', `${tasks.length}${tasks.length > 0 ? ` (${tasks.join(', ')})` : ''}`],
    ['synced', last_sync_at ?? 'never'],
    ['error', error],
  ];
  return [
    `${name}: ${status}`,
    ...facts.flatMap(([label, value]) => (value === null ? [] : [`  ${label.padEnd(8)}  ${value}`])),
    ...broken.map(({ path, reason }) => `  WRONG ${path}\n        ${reason}`),
  ].join('\n');
}
