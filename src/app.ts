/** The one place that joins ports to adapters: opens everything in order, and closes it in the opposite one. */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { ExecuteDeps, ExecutionBounds } from '../commands/execute-task.ts';
import type { PublishDeps } from '../commands/publish-task.ts';
import { openEventStore } from '../infra/event-store/open.ts';
import { openFiles } from '../infra/files.ts';
import { openOutbound } from '../infra/outbound.ts';
import { eventStoreBlobs } from '../infra/payload-blobs.ts';
import { openSqliteReadStore, type ReadStore } from '../infra/read-store/sqlite.ts';
import { systemRuntime } from '../infra/runtime.ts';
import { openSandbox } from '../infra/sandbox/pool.ts';
import { openSchemaCheck } from '../infra/schema-check.ts';
import { type ConfiguredSecret, configuredSecrets } from '../infra/secrets.ts';
import { folderSource } from '../infra/task-source.ts';
import { openLockedSession, openLoneSession, type OwnSession } from '../infra/worker-sessions.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { countWork, dispatchTable } from '../queries/dispatch.ts';
import { RatchetError } from './domain/errors.ts';
import { streamName } from './domain/event.ts';
import type { Core } from './interfaces/operations.ts';
import type { SandboxLimits } from './ports/sandbox.ts';
import type { EventStore } from './ports/event-store.ts';
import { projectInline, projectOnThread, type Projector } from './projector.ts';
import { Completions } from './reactors/completions.ts';
import { followCancels } from './reactors/follow-cancels.ts';
import { FollowedTasks } from './reactors/follow-tasks.ts';
import { replayFaithfully } from './reactors/replay.ts';
import { ExecutionRunner } from './reactors/run-executions.ts';
import { followSource, type SourceStatus } from './reactors/sync-sources.ts';
import { startWorkerSession } from './reactors/worker-session.ts';

export interface SourceSettings {
  readonly name: string;
  readonly root: string;
  readonly watch: boolean;
}

/** Everything the program can be told, already checked. */
export interface AppSettings {
  /** `sqlite:FILE` or `sqlite::memory:`. */
  readonly eventStoreUrl: string;
  /** File of the read models; null: beside the log, or in memory with it. */
  readonly readStoreFile: string | null;
  /** Executions at once. */
  readonly workers: number;
  /** Processes kept ready. */
  readonly warmWorkers: number;
  readonly bounds: ExecutionBounds;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
  readonly stepLimits: { readonly httpTimeoutMs: number; readonly maxBodyBytes: number };
  readonly wait: { readonly defaultSeconds: number; readonly maxSeconds: number };
  readonly outboundAllow: readonly string[];
  readonly maxSockets: number;
  readonly fileRoots: readonly string[];
  readonly secrets: Readonly<Record<string, ConfiguredSecret>>;
  readonly sources: readonly SourceSettings[];
  /** False for commands that only read or record, and leave running to a server. */
  readonly runs: boolean;
  readonly logger: FastifyBaseLogger;
}

export interface AppHealth {
  readonly status: 'ok' | 'degraded';
  readonly isolation: string;
  readonly projections: ReturnType<Projector['statuses']>;
  readonly head: string;
  readonly executions: { readonly pending: number; readonly running: number; readonly here: number };
  readonly sources: readonly SourceStatus[];
}

export interface App {
  readonly core: Core;
  readonly store: EventStore;
  readonly directory: FollowedTasks;
  readonly projector: Projector;
  health(): Promise<AppHealth>;
  /** Listeners to close before the rest. */
  attach(http: FastifyInstance): void;
  /** Stops taking work, waits up to `graceMs` for what runs, and frees everything. */
  close(graceMs?: number): Promise<void>;
}

const SCAN_MS = 500;
const CLOSE_GRACE_MS = 5_000;

/** Opens the whole product. Fails with `store_unavailable`, `sandbox_crashed` or `configuration_invalid`. */
export async function openApp(settings: AppSettings): Promise<App> {
  const closers: (() => Promise<unknown> | unknown)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  try {
    return await join_(settings, closers, closeAll);
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function join_(
  settings: AppSettings,
  closers: (() => Promise<unknown> | unknown)[],
  closeAll: () => Promise<void>,
): Promise<App> {
  const { logger } = settings;
  const onTrouble = (error: unknown, executionId: string | null = null): void => {
    logger.error({ err: error, executionId }, 'error in the background');
  };
  const runtime = systemRuntime();
  const place = placeOf(settings);
  const store = await openEventStore(settings.eventStoreUrl);
  closers.push(() => store.close());
  const [rows, sandbox] = await Promise.all([
    openRows(place.readStoreFile),
    openSandbox({ size: settings.workers * 3, warm: settings.warmWorkers }),
  ]);
  closers.push(
    () => rows.close(),
    () => sandbox.close(),
  );
  const projector = place.isShared
    ? await projectOnThread({ eventStoreUrl: settings.eventStoreUrl, readStoreFile: place.readStoreFile }, onTrouble)
    : await projectInline(store, rows);
  closers.push(() => projector.close());

  const blobs = eventStoreBlobs(store, () => runtime.now());
  const schemas = openSchemaCheck();
  const directory = new FollowedTasks(store);
  await directory.load();
  const completions = new Completions(store);
  const session = openSession(place, runtime.newId());
  closers.push(() => session.close());
  const outbound = openOutbound({ allow: settings.outboundAllow, maxSockets: settings.maxSockets });
  closers.push(() => outbound.close());

  const shared = {
    store,
    runtime,
    directory,
    schemas,
    blobs,
    bounds: settings.bounds,
    sandbox,
    limits: settings.limits,
  };
  const runner: ExecutionRunner = new ExecutionRunner(
    {
      ...shared,
      // The runner takes what it runs through `runTask` itself.
      get dispatcher() {
        return runner;
      },
      outbound,
      completions,
      files: openFiles(settings.fileRoots),
      secrets: configuredSecrets(settings.secrets),
      stepLimits: settings.stepLimits,
      table: dispatchTable(rows.db),
      sessions: session,
      onTrouble,
    },
    { capacity: settings.workers, node: process.version, scanMs: SCAN_MS },
  );
  const execute: ExecuteDeps = { ...shared, dispatcher: runner };
  const publish: PublishDeps = shared;
  const stop = new AbortController();
  const background = [directory.follow(stop.signal), completions.follow(stop.signal)];
  if (settings.runs) {
    await directory.reach(await store.head()).catch(() => undefined);
    background.push(followCancels(store, (id, reason) => runner.cancel(id, reason), stop.signal));
  }
  for (const task of background) task.catch(onTrouble);
  closers.push(() => stop.abort());

  const sources: SourceStatus[] = [];
  const followed = settings.sources.map((source) => {
    const onSync = (status: SourceStatus): void => {
      sources.splice(0, sources.length, ...sources.filter((known) => known.source !== status.source), status);
      report(logger, status);
    };
    return followSource(publish, folderSource(source), { watch: source.watch, onSync, onTrouble }, stop.signal);
  });
  await Promise.all(followed);

  if (settings.runs) {
    await projector.progress.reach(await store.head(), 60_000).catch(onTrouble);
    const facts = {
      sessionId: session.own,
      host: hostname(),
      pid: process.pid,
      node: process.version,
      capacity: settings.workers,
      isolation: sandbox.isolation,
    };
    const lease = await startWorkerSession({ store, runtime }, facts, () => runner.running(), onTrouble);
    closers.push(() => lease.close());
    await runner.start();
  }
  closers.push(() => runner.close(grace));
  let grace = CLOSE_GRACE_MS;

  const core: Core = {
    execute,
    publish,
    query: { db: rows.db, store, blobs },
    progress: projector.progress,
    wait: settings.wait,
    awaitEnd: async (executionId, ms, createdNow) => {
      const awaited = completions.next(executionId);
      const timer = Promise.withResolvers<null>();
      const timeout = setTimeout(() => timer.resolve(null), ms);
      try {
        if (!createdNow) await completions.look(streamName('execution', executionId));
        return await Promise.race([awaited.promise, timer.promise]);
      } finally {
        clearTimeout(timeout);
        awaited.cancel();
      }
    },
    replay: (executionId, attempt) => replayFaithfully(shared, executionId, attempt),
    projections: { statuses: () => projector.statuses(), rebuild: (names) => projector.rebuild(names) },
  };

  return {
    core,
    store,
    directory,
    projector,
    attach: (http) => void closers.push(() => http.close()),
    health: async () => {
      const projections = projector.statuses();
      const isPaused = projections.some((projection) => projection.status === 'paused');
      return {
        status: isPaused ? 'degraded' : 'ok',
        isolation: sandbox.isolation,
        projections,
        head: await store.head(),
        executions: { ...(await countWork(rows.db)), here: runner.running() },
        sources: [...sources],
      };
    },
    close: async (graceMs = CLOSE_GRACE_MS) => {
      grace = graceMs;
      await closeAll();
    },
  };
}

interface Place {
  readonly readStoreFile: string;
  /** Folder of the worker sessions' locks; null for a store of this process alone. */
  readonly sessionFolder: string | null;
  readonly isShared: boolean;
}

function placeOf(settings: AppSettings): Place {
  const [scheme, ...rest] = settings.eventStoreUrl.split(':');
  const path = rest.join(':');
  if (scheme === 'memory' || path === ':memory:')
    return { readStoreFile: ':memory:', sessionFolder: null, isShared: false };
  const file = path.startsWith('//') ? path.slice(2) : path;
  makeFolder(dirname(file));
  return { readStoreFile: settings.readStoreFile ?? `${file}.read`, sessionFolder: `${file}.sessions`, isShared: true };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new RatchetError('store_unavailable', `Database connection failed: the folder ${folder} can not be made`, {
      cause,
    });
  }
}

async function openRows(file: string): Promise<ReadStore<ReadModels>> {
  return openSqliteReadStore<ReadModels>(file);
}

function openSession({ sessionFolder }: Place, sessionId: string): OwnSession {
  return sessionFolder === null ? openLoneSession(sessionId) : openLockedSession(sessionFolder, sessionId);
}

function report(logger: FastifyBaseLogger, status: SourceStatus): void {
  if (status.error !== null) logger.error({ source: status.source }, `the source can not be read: ${status.error}`);
  for (const { path, reason } of status.broken) logger.warn({ source: status.source, path }, `broken task: ${reason}`);
  if (status.published.length > 0)
    logger.info({ source: status.source, published: status.published }, 'tasks published');
}
