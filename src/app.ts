/** The one place that joins ports to adapters: opens everything in order, and closes it in the opposite one. */
import { hash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { dirname, join } from 'node:path';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { ExecutionBounds } from '../commands/execute-task.ts';
import { openAuditFile } from '../infra/audit-file.ts';
import { openCodeSyntax } from '../infra/code-syntax.ts';
import type { Reachability } from '../infra/counts-with-fallback.ts';
import { credentials } from '../infra/credentials.ts';
import { cronerCron } from '../infra/cron.ts';
import { eventStoreDbLogName, isEventStoreDbUrl } from '../infra/event-store/eventstoredb-url.ts';
import { openEventStore } from '../infra/event-store/open.ts';
import type { PostgresStoreOptions } from '../infra/event-store/postgres.ts';
import { openFiles } from '../infra/files.ts';
import { makeFolder } from '../infra/folder.ts';
import { type ModelsOptions, openModels } from '../infra/models.ts';
import { systemNetwork } from '../infra/network.ts';
import { openOutbound } from '../infra/outbound.ts';
import { openPatternCheck } from '../infra/pattern-check.ts';
import { eventStoreBlobs } from '../infra/payload-blobs.ts';
import { isPostgres, parsedAddress } from '../infra/postgres/address.ts';
import { memoryRateLimits } from '../infra/rate-limits.ts';
import { openReadStore } from '../infra/read-store/open.ts';
import { openResultLines } from '../infra/result-lines.ts';
import { systemRuntime } from '../infra/runtime.ts';
import { openDebugSandbox } from '../infra/sandbox/debug-pool.ts';
import { openSandbox } from '../infra/sandbox/pool.ts';
import { assertIsolated } from '../infra/sandbox/required-isolation.ts';
import { openSchemaCheck } from '../infra/schema-check.ts';
import { type ConfiguredSecret, configuredSecrets } from '../infra/secrets.ts';
import { openSignatures } from '../infra/signatures.ts';
import { openSourceMaps } from '../infra/source-map.ts';
import { openTaskSource, type SourceSettings } from '../infra/sources/open.ts';
import { openTestCases } from '../infra/task-tests.ts';
import { openTokens, type TokenSettings } from '../infra/tokens.ts';
import { openPresence, sessionFolderOf } from '../infra/worker-sessions.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { openBatches } from '../queries/batch.ts';
import { countDeliveries, deliveryTable } from '../queries/delivery.ts';
import { countWork, dispatchTable } from '../queries/dispatch.ts';
import { pickedDispatchTable } from '../queries/picked-dispatch.ts';
import { sessionsTakenForAlive } from '../queries/worker.ts';
import { RatchetError } from './domain/errors.ts';
import { streamName } from './domain/event.ts';
import type { ResultTarget } from './domain/result-target.ts';
import type { SourceStatus } from './domain/source-status.ts';
import type { CalledTool } from './domain/tool-call.ts';
import { assertClocks, assertOwnRows } from './fitting-stores.ts';
import type { Entrance } from './interfaces/identity.ts';
import type { Core } from './interfaces/operation.ts';
import type { EventStore } from './ports/event-store.ts';
import type { ConfiguredKey } from './ports/key-directory.ts';
import type { McpSessionLog } from './ports/mcp-session-log.ts';
import type { RateLimits } from './ports/rate-limits.ts';
import type { SandboxLimits } from './ports/sandbox.ts';
import { NODE_ROLES, type NodeRole } from './domain/node-role.ts';
import { type Projector, projectInline } from './projector.ts';
import { projectOnThread } from './projector-on-thread.ts';
import { type Refusal, RefusalAudit } from './reactors/audit-refusals.ts';
import { ToolCallAudit } from './reactors/audit-tool-calls.ts';
import { Batches } from './reactors/batches.ts';
import { Completions, type End } from './reactors/completions.ts';
import { debuggingOf } from './reactors/debugging.ts';
import { diagnosisOf } from './reactors/diagnosing.ts';
import { EventMeter } from './reactors/event-meter.ts';
import { FollowedKeys } from './reactors/follow-keys.ts';
import { FollowedLogins, type SessionTimes } from './reactors/follow-logins.ts';
import { FollowedTasks } from './reactors/follow-tasks.ts';
import { followWishes } from './reactors/follow-wishes.ts';
import { followWork } from './reactors/follow-work.ts';
import { type LoggedTrace, logTraces } from './reactors/log-traces.ts';
import { mcpSessionLog } from './reactors/mcp-session-log.ts';
import { mirrorAudit } from './reactors/mirror-audit.ts';
import { profilingOf } from './reactors/profiling.ts';
import { replaysOf } from './reactors/replays.ts';
import { type Results, startResults } from './reactors/results.ts';
import { ExecutionRunner } from './reactors/run-executions.ts';
import { Schedules } from './reactors/schedules.ts';
import { type SourceWish, TaskSources } from './reactors/task-sources.ts';
import { taskTestingOf } from './reactors/task-testing.ts';
import { WorkerSessions } from './reactors/worker-sessions.ts';

/** What callers are known by. */
export interface AccessSettings {
  readonly entrance: Entrance;
  readonly keys: readonly ConfiguredKey[];
  readonly tokens: TokenSettings;
  /** Of browsers; half an hour idle, half a day at most where left out. */
  readonly sessions?: SessionTimes;
}

/** Everything the program can be told, already checked. */
export interface AppSettings {
  /** `sqlite:FILE`, `sqlite::memory:`, `postgresql://…` or `esdb://…`. */
  readonly eventStoreUrl: string;
  /** Of a log in PostgreSQL; as the adapter does where left out. */
  readonly postgres?: PostgresStoreOptions;
  /** File of the read models, or address of their PostgreSQL database; null: beside the log, or in memory with it. */
  readonly readStore: string | null;
  /** Keeps what belongs to this machine where the log is no file; where left out or null it goes with the process. */
  readonly dataFolder?: string | null;
  /** False where read models of whatever log are built anew; they must be of this log where left out. */
  readonly keepsReadModels?: boolean;
  /** Executions at once. */
  readonly workers: number;
  /** Executions of one caller at once; no limit where left out or null. */
  readonly maxPerClient?: number | null;
  /** Debugged replays at once. */
  readonly debugSessions: number;
  /** Processes kept ready. */
  readonly warmWorkers: number;
  /** Whether a process that dies is replaced; it is where left out. */
  readonly restartWorkers?: boolean;
  /** Whether a start is refused where tasks run as the same user, in the same namespaces; it is not where left out. */
  readonly needsIsolation?: boolean;
  readonly bounds: ExecutionBounds;
  readonly limits: Omit<SandboxLimits, 'memoryMb'>;
  readonly stepLimits: { readonly httpTimeoutMs: number; readonly maxBodyBytes: number };
  readonly wait: { readonly defaultSeconds: number; readonly maxSeconds: number };
  readonly outboundAllow: readonly string[];
  readonly maxSockets: number;
  /** Idle connections kept to one origin; as the adapter does where left out. */
  readonly maxFreeSockets?: number;
  /** Milliseconds to wait for a connection; as the adapter does where left out. */
  readonly connectTimeoutMs?: number;
  readonly fileRoots: readonly string[];
  /** MCP servers and the language model that tasks may call; none where left out. */
  readonly models?: ModelsOptions;
  readonly secrets: Readonly<Record<string, ConfiguredSecret>>;
  readonly sources: readonly SourceSettings[];
  /** Keeps copies of sources that are no folders; where left out or null they go with the process. */
  readonly copiesFolder?: string | null;
  readonly access: AccessSettings;
  /** Where nodes share their counts for limits; each counts for itself where left out or null. */
  readonly redisUrl?: string | null;
  /** False for commands that only read or record, and are no node. */
  readonly runs: boolean;
  /** What a node does beside what it is asked for; everything where left out. */
  readonly roles?: readonly NodeRole[];
  /** How long a worker session holds after a heartbeat, in milliseconds; 30,000 where left out. */
  readonly leaseMs?: number;
  /** Where results of executions go; nowhere where left out. */
  readonly results?: readonly ResultTarget[];
  /** Senders that may start tasks, so that such a task is not deleted by mistake; none where left out. */
  readonly webhooks?: readonly { readonly name: string; readonly task: string | null }[];
  /** Mirrors the audit trail; null: no file. */
  readonly auditFile: string | null;
  /** Whether the log tells the trace of each execution; it does not where left out. */
  readonly logsTraces?: boolean;
  readonly logger: FastifyBaseLogger;
}

export interface AppHealth {
  readonly status: 'ok' | 'degraded' | 'draining';
  readonly isolation: string;
  readonly projections: ReturnType<Projector['statuses']>;
  readonly head: string;
  readonly executions: { readonly pending: number; readonly running: number; readonly here: number };
  readonly deliveries: { readonly open: number; readonly dead_lettered: number };
  readonly sources: readonly SourceStatus[];
  /** Told where limits are counted in Redis; while it is away, each node counts for itself. */
  readonly redis?: Reachability;
  /** The same of limits that are counted in PostgreSQL. */
  readonly rate_limits?: Reachability;
}

export interface App {
  readonly core: Core;
  readonly store: EventStore;
  readonly directory: FollowedTasks;
  readonly projector: Projector;
  health(): Promise<AppHealth>;
  /** Writes a refusal into the audit trail. */
  refuse(refusal: Refusal): void;
  /** Writes a call of a tool into the audit trail. */
  called(call: CalledTool): void;
  readonly mcpSessions: McpSessionLog;
  /** Listeners to close before the rest. */
  attach(http: FastifyInstance): void;
  /**
   * Takes up no more work, waits up to `graceMs` for what runs here, and leaves the rest to other nodes; health tells so
   * from then on. What is asked for meanwhile is kept for them, too. Takes at least `noticeMs`.
   */
  drain(graceMs: number, noticeMs?: number): Promise<void>;
  /** Stops taking work, waits up to `graceMs` for what runs, and frees everything. */
  close(graceMs?: number): Promise<void>;
}

const SESSION_TIMES: SessionTimes = { idleMs: 30 * 60_000, maxAgeMs: 12 * 3_600_000 };
const SCAN_MS = 500;
const CLOSE_GRACE_MS = 5_000;
const LEASE_MS = 30_000;
const IN_MEMORY = ':memory:';
/** How long a start waits for a source that is elsewhere; its tasks of before are there meanwhile. */
const REMOTE_PATIENCE_MS = 10_000;
/** How long a start waits for the read models before it says so and goes on. */
const CATCH_UP_MS = 60_000;
/**
 * Connections to PostgreSQL where nothing else is said. The projector has some for the log and as many for the read models,
 * beside one that is in no pool: it holds its lock, and writes. One more counts for limits.
 */
const DEFAULT_POOL = 20;
const PROJECTOR_POOL = 2;
/** Executions that only wait for others keep their process beside those that run. */
const PROCESSES_PER_PLACE = 2;

/** What must be undone, in the order in which it was done. */
type Closers = (() => unknown)[];

/** Opens the whole product. Fails with `store_unavailable`, `sandbox_crashed` or `configuration_invalid`. */
export async function openApp(settings: AppSettings): Promise<App> {
  const closers: Closers = [];
  try {
    const parts = await openParts(settings, closers);
    const acting = await startReactors(settings, parts, closers);
    return appOf(settings, parts, acting, closers);
  } catch (error) {
    await closeAll(closers).catch((cause: unknown) => settings.logger.error({ err: cause }, 'error while closing'));
    throw error;
  }
}

/** Closes everything, whatever fails on the way. Fails with the first error after that. */
async function closeAll(closers: Closers): Promise<void> {
  const errors: unknown[] = [];
  for (const close of closers.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

interface Counting {
  readonly rateLimits: RateLimits;
  readonly health: () => Pick<AppHealth, 'redis' | 'rate_limits'>;
}

type Parts = Awaited<ReturnType<typeof openParts>>;

/** Adapters and what stands on them; nothing acts yet. */
async function openParts(settings: AppSettings, closers: Closers) {
  const onTrouble = (error: unknown, executionId: string | null = null): void => {
    settings.logger.error({ err: error, executionId }, 'error in the background');
  };
  const runtime = systemRuntime();
  const place = placeOf(settings);
  const { postgres = {} } = settings;
  const store = await openEventStore(settings.eventStoreUrl, {
    postgres: { ...postgres, poolSize: shareOf(postgres) },
  });
  closers.push(() => store.close());
  const rows = await openReadStore<ReadModels>(place.readStore, { ...postgres, poolSize: shareOf(postgres) });
  closers.push(() => rows.close());
  if (settings.runs) await assertClocks([settings.eventStoreUrl, place.readStore], postgres, settings.logger);
  if (settings.keepsReadModels !== false) await assertOwnRows(settings.eventStoreUrl, store, rows.projections);
  const sandbox = await openSandbox({
    size: settings.workers * PROCESSES_PER_PLACE,
    warm: settings.warmWorkers,
    restart: settings.restartWorkers ?? true,
  });
  closers.push(() => sandbox.close());
  if (settings.needsIsolation === true) assertIsolated(sandbox.isolation);
  const debugSandbox = openDebugSandbox({
    size: settings.debugSessions,
    prepare: (code, file) => sandbox.prepare(code, file),
  });
  closers.push(() => debugSandbox.close());
  const projector = place.isShared
    ? await projectOnThread(
        {
          eventStoreUrl: settings.eventStoreUrl,
          readStore: place.readStore,
          postgres: { ...postgres, poolSize: PROJECTOR_POOL },
          mayLead: has(settings, 'projector'),
          mayDisplace: settings.runs,
        },
        onTrouble,
        () => settings.logger.warn('waiting for a node with the role projector to make the read models'),
      )
    : await projectInline(store, rows, onTrouble);
  closers.push(() => projector.close());
  const session = new WorkerSessions(
    {
      store,
      runtime,
      presence: openPresence(place.sessionFolder, place),
      elapsed: () => performance.now(),
      onTrouble,
      onGone: (gone) => settings.logger.warn(gone, 'a node is gone: what it ran is taken over'),
    },
    settings.leaseMs ?? LEASE_MS,
  );
  closers.push(() => session.close());
  const { outboundAllow, maxSockets, maxFreeSockets, connectTimeoutMs } = settings;
  const outbound = openOutbound({
    allow: outboundAllow,
    maxSockets,
    ...(maxFreeSockets === undefined ? {} : { maxFreeSockets }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  });
  closers.push(() => outbound.close());
  const { mcpServers, languageModel, close: closeModels } = openModels(settings.models);
  closers.push(() => closeModels());

  const { rateLimits, health: countingHealth } = await openRateLimits(settings, place, closers);
  const blobs = eventStoreBlobs(store, () => runtime.now());
  const directory = new FollowedTasks(store);
  const keys = new FollowedKeys({ store, runtime, credentials }, settings.access.keys);
  const logins = new FollowedLogins(
    { store, runtime, credentials, onTrouble },
    settings.access.sessions ?? SESSION_TIMES,
  );
  closers.push(() => logins.settled());
  const completions = new Completions(store);
  const { bounds, limits } = settings;
  const shared = {
    store,
    runtime,
    directory,
    keys,
    logins,
    rateLimits,
    schemas: openSchemaCheck(),
    testCases: openTestCases(),
    cron: cronerCron(),
    blobs,
    bounds,
    sandbox,
    debugSandbox,
    sourceMaps: openSourceMaps(),
    limits,
    outbound,
    mcpServers,
    languageModel,
    files: openFiles(settings.fileRoots),
    secrets: configuredSecrets(settings.secrets),
    stepLimits: settings.stepLimits,
    resultTargets: new Map((settings.results ?? []).map((target) => [target.name, target])),
  };
  const runner: ExecutionRunner = new ExecutionRunner(
    {
      ...shared,
      // What a task runs through `runTask` is dispatched by the runner that runs the task.
      get dispatcher() {
        return runner.forSubtasks;
      },
      completions,
      table: dispatchTable(rows.db),
      shared: isPostgres(place.readStore) ? pickedDispatchTable(rows.db, settings.maxPerClient ?? null) : null,
      progress: projector.progress,
      sessions: session,
      isAlone: () => session.isAlone(),
      onTrouble,
    },
    {
      capacity: has(settings, 'worker') ? settings.workers : 0,
      maxPerClient: settings.maxPerClient ?? null,
      node: process.version,
      scanMs: SCAN_MS,
      countUpTo: bounds.queueSize,
    },
  );
  return { ...shared, countingHealth, onTrouble, rows, projector, session, completions, runner };
}

/** Counts for limits: in Redis, in the database that nodes share, or of this process; only what is used is loaded. */
async function openRateLimits(settings: AppSettings, { readStore }: Place, closers: Closers): Promise<Counting> {
  const { redisUrl = null, postgres = {}, logger } = settings;
  if (redisUrl === null && !isPostgres(readStore)) return { rateLimits: memoryRateLimits(), health: () => ({}) };
  const isRedis = redisUrl !== null;
  const said = isRedis ? `Redis at ${new URL(redisUrl).host}` : 'the database of the limits';
  const dependency = isRedis ? 'redis' : 'postgresql';
  const onChange = ({ status, error }: Reachability): void => {
    if (status === 'ok') logger.info({ dependency }, `${said} is back: limits are shared between nodes again`);
    else logger.error({ dependency, reason: error }, `${said} can not be reached: limits are counted in memory`);
  };
  const rateLimits = isRedis
    ? await (await import('../infra/redis-rate-limits.ts')).openRedisRateLimits({ url: redisUrl, onChange })
    : await (await import('../infra/postgres/rate-limits.ts')).openPostgresRateLimits(readStore, {
        ...postgres,
        onChange,
      });
  closers.push(() => rateLimits.close());
  return {
    rateLimits,
    health: () => ({ [isRedis ? 'redis' : 'rate_limits']: rateLimits.reachability() }),
  };
}

/** What goes on by itself, as far as people ask about it. */
interface Acting {
  readonly sources: TaskSources;
  readonly meter: EventMeter;
  /** Null where none are handed out. */
  readonly results: Results | null;
}

/** Begins to act: tasks followed, sources synced, executions run. */
async function startReactors(settings: AppSettings, parts: Parts, closers: Closers): Promise<Acting> {
  const { store, runtime, directory, completions, runner, session, projector, sandbox, onTrouble } = parts;
  const stop = new AbortController();
  closers.push(() => stop.abort());
  await Promise.all([directory.load(), parts.keys.refresh()]);
  const head = await store.head();
  const { signal } = stop;
  const tell = (error: unknown): void => onTrouble(error);
  void directory.follow(tell, signal);
  void parts.keys.follow(tell, signal);
  void parts.logins.follow(head, signal);
  void completions.follow(head, tell, signal);
  if (settings.auditFile !== null) void mirrorAudit(store, openAuditFile(settings.auditFile), tell, signal);
  if (settings.logsTraces === true) {
    const log = (trace: LoggedTrace): void => settings.logger.info(trace, 'execute_task: trace of an execution');
    void logTraces(store, log, tell, signal).catch(tell);
  }
  if (settings.runs && has(settings, 'worker')) void followWishes(store, head, runner, tell, signal);

  const meter = new EventMeter(runtime);
  void meter.follow(store, head, tell, signal);
  const sources = new TaskSources();
  const wishes = sourceWishes(settings, parts, closers);
  const onSync = (status: SourceStatus): void => report(settings.logger, status);
  await sources.follow(parts, wishes, { onSync, onTrouble }, signal);

  if (settings.runs) {
    await projector.progress.reach(await store.head(), CATCH_UP_MS).catch(onTrouble);
    const capacity = has(settings, 'worker') ? settings.workers : 0;
    const { isolation } = sandbox;
    await session.start(
      {
        facts: { host: hostname(), pid: process.pid, node: process.version, capacity, isolation },
        known: () => sessionsTakenForAlive(parts.rows.db),
        running: () => runner.running(),
        onLapsed: () => {
          settings.logger.error('the worker session has lapsed: what ran here is left to other nodes');
          runner.lapse();
        },
      },
      signal,
    );
  }
  if (settings.runs && runner.finder !== null) void followWork(store, head, runner.finder, tell, signal);
  if (settings.runs) await runner.start();
  let results: Results | null = null;
  if (settings.runs && has(settings, 'worker')) {
    const elected = { ...parts, dispatcher: runner, isElected: () => session.isElected() };
    const schedules = new Schedules(elected, tell);
    closers.push(() => schedules.close());
    await schedules.start(signal);
    const batches = new Batches({ ...elected, openBatches: () => openBatches(parts.rows) }, tell);
    closers.push(() => batches.close());
    await batches.start(head, signal);
    const sending = {
      signatures: openSignatures(),
      lines: openResultLines(process.stdout),
      table: deliveryTable(parts.rows.db),
    };
    const started = await startResults(
      { ...parts, ...sending, sessions: session, onTrouble: tell },
      parts.resultTargets,
    );
    closers.push(() => started.close(CLOSE_GRACE_MS));
    results = started;
  }
  return { sources, meter, results };
}

function sourceWishes(settings: AppSettings, { runtime, outbound }: Parts, closers: Closers): readonly SourceWish[] {
  const passing = join(tmpdir(), `ratchet-sources-${runtime.newId()}`);
  if ((settings.copiesFolder ?? null) === null) closers.push(() => rm(passing, { recursive: true, force: true }));
  const deps = { outbound, copiesFolder: settings.copiesFolder ?? passing, now: () => runtime.now() };
  return settings.sources.map((wanted) => {
    const source = openTaskSource(wanted, deps);
    const isPolled = (wanted.pollMs ?? null) !== null;
    return { source, watch: wanted.watch || isPolled, patienceMs: source.isRemote ? REMOTE_PATIENCE_MS : null };
  });
}

function appOf(settings: AppSettings, parts: Parts, { sources, meter, results }: Acting, closers: Closers): App {
  const { store, runner, rows, projector, directory, sandbox, completions } = parts;
  let grace = CLOSE_GRACE_MS;
  let isDraining = false;
  const refusals = new RefusalAudit(parts, parts.onTrouble);
  closers.push(() => refusals.flush());
  const calls = new ToolCallAudit(parts, parts.onTrouble);
  closers.push(() => calls.flush());
  closers.push(() => runner.close(grace));
  const debugging = debuggingOf({ ...parts, maxDebugSessions: settings.debugSessions });
  closers.push(() => debugging.closeAll());
  const core: Core = {
    execute: { ...parts, dispatcher: runner },
    schedules: { ...parts, dispatcher: runner },
    publish: parts,
    query: { db: rows.db, store, blobs: parts.blobs },
    progress: projector.progress,
    rateLimits: parts.rateLimits,
    access: {
      entrance: settings.access.entrance,
      keys: parts.keys,
      tokens: openTokens(settings.access.tokens),
      logins: parts.logins,
    },
    wait: settings.wait,
    awaitEnd: (executionId, ms, createdNow) => awaitEnd(completions, executionId, ms, createdNow),
    replays: replaysOf({ ...parts, db: rows.db }),
    debugging,
    diagnosis: diagnosisOf({
      ...parts,
      db: rows.db,
      debugging,
      syntax: openCodeSyntax(),
      progress: projector.progress,
    }),
    profiling: profilingOf(parts),
    testing: taskTestingOf({
      ...parts,
      syntax: openCodeSyntax(),
      patterns: openPatternCheck(),
      places: settings.workers,
    }),
    webhooks: settings.webhooks ?? [],
    sources,
    network: systemNetwork(),
    eventRate: () => meter.perSecond(),
    projections: { statuses: () => projector.statuses(), rebuild: (names) => projector.rebuild(names) },
  };
  return {
    core,
    store,
    directory,
    projector,
    refuse: (refusal) => refusals.note(refusal),
    called: (call) => calls.note(call),
    mcpSessions: mcpSessionLog(parts, parts.session, parts.onTrouble),
    attach: (http) => void closers.push(() => http.close()),
    health: async () => {
      const projections = projector.statuses();
      const counting = parts.countingHealth();
      const isAway = (counting.redis ?? counting.rate_limits)?.status === 'away';
      const isDegraded = isAway || projections.some(({ status }) => status === 'paused');
      return {
        status: isDraining ? 'draining' : isDegraded ? 'degraded' : 'ok',
        isolation: sandbox.isolation,
        projections,
        head: await store.head(),
        executions: { ...(await countWork(rows.db)), here: runner.running() },
        deliveries: await countDeliveries(rows.db),
        sources: sources.list(),
        ...counting,
      };
    },
    drain: async (graceMs, noticeMs = 0) => {
      isDraining = true;
      await Promise.all([pause(noticeMs), runner.close(graceMs)]);
      // What is being sent is sent again by others once the session has ended.
      await results?.close(CLOSE_GRACE_MS).catch(parts.onTrouble);
      // While the log is away nobody can be told: others take over when the lease has passed.
      await parts.session.close().catch(parts.onTrouble);
    },
    close: async (graceMs = CLOSE_GRACE_MS) => {
      grace = graceMs;
      await closeAll(closers);
    },
  };
}

async function awaitEnd(
  completions: Completions,
  executionId: string,
  ms: number,
  createdNow: boolean,
): Promise<End | null> {
  const awaited = completions.next(executionId);
  const overdue = Promise.withResolvers<null>();
  const timer = setTimeout(() => overdue.resolve(null), ms);
  try {
    if (!createdNow) await completions.look(streamName('execution', executionId));
    return await Promise.race([awaited.promise, overdue.promise]);
  } finally {
    clearTimeout(timer);
    awaited.cancel();
  }
}

interface Place {
  readonly readStore: string;
  /** Folder of the worker sessions' locks; null where no other process of this machine sees them. */
  readonly sessionFolder: string | null;
  readonly isShared: boolean;
  /** Whether all processes on this database are on this machine. */
  readonly isOnlyMachine: boolean;
}

function placeOf(settings: AppSettings): Place {
  const [scheme, ...rest] = settings.eventStoreUrl.split(':');
  const path = rest.join(':');
  if (scheme === 'memory' || path === ':memory:') {
    return { readStore: IN_MEMORY, sessionFolder: null, isShared: false, isOnlyMachine: true };
  }
  const isOnlyMachine = scheme === 'sqlite';
  const file = isOnlyMachine ? path.replace(/^\/\//, '') : fileOf(settings);
  const beside = isPostgres(settings.eventStoreUrl) ? settings.eventStoreUrl : null;
  const readStore = settings.readStore ?? beside ?? (file === null ? IN_MEMORY : `${file}.read`);
  if (file === null) return { readStore, sessionFolder: null, isShared: readStore !== IN_MEMORY, isOnlyMachine };
  makeDataFolder(dirname(file));
  return { readStore, sessionFolder: sessionFolderOf(file), isShared: true, isOnlyMachine };
}

/** Beside which the files of a log on a server are: named for that log, because read models are of one log only. */
function fileOf({ eventStoreUrl, dataFolder = null }: AppSettings): string | null {
  if (dataFolder === null) return null;
  if (isEventStoreDbUrl(eventStoreUrl)) return join(dataFolder, eventStoreDbLogName(eventStoreUrl));
  const { host, pathname, search } = parsedAddress(eventStoreUrl);
  return join(dataFolder, `postgres-${hash('sha256', `${host}${pathname}${search}`).slice(0, 16)}`);
}

/** Log and read models each get their share of the connections that the projector and the limits leave. */
function shareOf({ poolSize = DEFAULT_POOL }: PostgresStoreOptions): number {
  return Math.max(1, Math.floor((poolSize - 2 * PROJECTOR_POOL - 2) / 2));
}

function makeDataFolder(folder: string): void {
  try {
    makeFolder(folder);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const words = ['EACCES', 'EPERM', 'EROFS'].includes(code) ? 'Permission denied' : 'Database connection failed';
    throw new RatchetError('store_unavailable', `${words}: the folder ${folder} can not be made`, { cause });
  }
}

function has({ roles = NODE_ROLES }: AppSettings, role: NodeRole): boolean {
  return roles.includes(role);
}

function report(logger: FastifyBaseLogger, status: SourceStatus): void {
  if (status.error !== null) logger.error({ source: status.source }, `the source can not be read: ${status.error}`);
  for (const { path, reason } of status.broken) logger.warn({ source: status.source, path }, `broken task: ${reason}`);
  if (status.published.length > 0)
    logger.info({ source: status.source, published: status.published }, 'tasks published');
}
