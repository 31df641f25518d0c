/** The client that web pages and programs use: runs tasks on a Ratchet server over MCP, and waits for them through cut connections. */
import { abortable, anyOf, pause } from './abortable.ts';
import {
  type Answer,
  answerOf,
  type ExecutionResult,
  executionIn,
  isSettled,
  type TaskInfo,
  tasksIn,
} from './answers.ts';
import type { Asking, Channel, Server } from './channel.ts';
import { connectionLost, RatchetClientError } from './failure.ts';
import { HttpChannel } from './http-channel.ts';
import type { Fields } from './json.ts';
import { SseChannel } from './sse-channel.ts';

export interface ClientOptions {
  /** Such as `http://localhost:8090`; what is below it (`/mcp`, `/sse`) is added. */
  readonly baseUrl: string;
  /** Sent as `x-api-key`; left out where the server demands none. */
  readonly apiKey?: string;
  /** `http`: Streamable HTTP. `sse`: HTTP+SSE. `auto`, the default: the first, and the second where the server has no `/mcp`. */
  readonly transport?: 'auto' | 'http' | 'sse';
  /** How long a connection that broke is tried again, in milliseconds; 30,000 when left out, 0 never. */
  readonly reconnectMs?: number;
}

export interface Progress {
  /** 0 to 100; never falls. */
  readonly percent: number;
  readonly message: string | null;
  /** Null in the first second. */
  readonly executionId: string | null;
}

export interface ExecuteOptions {
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the waiting; the execution goes on, see `cancel`. */
  readonly signal?: AbortSignal;
  /** Longest wait in milliseconds; 300,000 when left out. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface TaskFilter extends CallOptions {
  /** Part of the name or the description. */
  readonly filter?: string;
  readonly category?: string;
  /** Also input and output schemas. */
  readonly includeSchemas?: boolean;
}

export interface LogFilter extends CallOptions {
  /** Least level. */
  readonly level?: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /** Most lines, 1 to 1,000; 100 when left out. */
  readonly limit?: number;
  /** From `next_cursor` of the answer before. */
  readonly cursor?: string;
}

const RECONNECT_MS = 30_000;
const TIMEOUT_MS = 300_000;
/** Short, so that the id of the execution is soon known. */
const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 50;
/** An answer that is so much later than it should be will not come any more. */
const OVERDUE_MS = 30_000;
/** A wait that ended sooner was none: the server does not let anybody wait. */
const SHORTEST_WAIT_MS = 500;
const POLL_MS = 1_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** The server tells no more at once. */
const MOST_TOKENS = 20_000;

export class RatchetMCPClient {
  readonly #server: Server;
  readonly #transport: 'auto' | 'http' | 'sse';
  readonly #reconnectMs: number;
  readonly #closed = new AbortController();
  #channel: Promise<Channel> | null = null;

  constructor({ baseUrl, apiKey, transport = 'auto', reconnectMs = RECONNECT_MS }: ClientOptions) {
    const headers = apiKey === undefined ? {} : { 'x-api-key': apiKey };
    this.#server = { baseUrl: baseUrl.replace(/\/+$/, ''), headers };
    this.#transport = transport;
    this.#reconnectMs = reconnectMs;
  }

  /**
   * Runs a task and waits for its result. It is run once, however often the connection breaks meanwhile.
   * @param name name or id of the task
   * @returns also where the execution failed: see `status`
   * Fails with {@link RatchetClientError}: as the server says where it refuses (`input_schema_violation`, `unauthenticated`, …),
   * with `unreachable`, `connection_lost`, `timeout` or `closed`; and with the reason of the signal.
   */
  async executeTask(name: string, input: unknown = {}, options: ExecuteOptions = {}): Promise<ExecutionResult> {
    const { onProgress, signal, timeoutMs = TIMEOUT_MS } = options;
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new RatchetClientError('timeout', `${name} has not ended within ${timeoutMs} ms; it goes on`));
    }, timeoutMs);
    const run = { task_id: name, input, idempotency_key: randomName() };
    const waiting = new Waiting(onProgress);
    try {
      return await this.#settled(run, waiting, anyOf(late.signal, signal));
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw error instanceof RatchetClientError ? error.of(waiting.executionId) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns all tasks that the key may see, or those that match. */
  async listTasks({ filter, category, includeSchemas, signal }: TaskFilter = {}): Promise<readonly TaskInfo[]> {
    const asked = { filter, category, include_schemas: includeSchemas, limit: 100, max_tokens: MOST_TOKENS };
    const all: TaskInfo[] = [];
    for (let cursor: string | null = null; ; ) {
      const answer = await this.#read(
        'list_available_tasks',
        { ...asked, ...(cursor === null ? {} : { cursor }) },
        signal,
      );
      const { tasks, next } = tasksIn(answer);
      all.push(...tasks);
      if (next === null) return all;
      cursor = next;
    }
  }

  /** @returns status, progress, result or error of an execution; an output above 20,000 tokens is cut, and `truncated` says so. */
  getStatus(executionId: string, { signal }: CallOptions = {}): Promise<Answer> {
    return this.#read('get_execution_status', { execution_id: executionId, max_tokens: MOST_TOKENS }, signal);
  }

  /** @returns `logs`, a `summary`, and `next_cursor` where there are more. */
  getLogs(executionId: string, { signal, ...wanted }: LogFilter = {}): Promise<Answer> {
    return this.#read('get_execution_logs', { execution_id: executionId, ...wanted, max_tokens: MOST_TOKENS }, signal);
  }

  /** Ends an execution. Fails with `execution_finished` where there is nothing more to end. */
  cancel(executionId: string, { signal }: CallOptions = {}): Promise<Answer> {
    return this.#tool('cancel_execution', { execution_id: executionId }, signal, OVERDUE_MS);
  }

  /** Ends all waiting with `closed`; executions go on. */
  close(): void {
    this.#closed.abort(new RatchetClientError('closed', 'the client was closed; executions go on'));
    void this.#channel?.then(
      (channel) => channel.close(),
      () => undefined,
    );
  }

  async #settled(run: Fields, waiting: Waiting, signal: AbortSignal): Promise<ExecutionResult> {
    for (;;) {
      const seconds = waiting.executionId === null ? FIRST_WAIT_SECONDS : LONGEST_WAIT_SECONDS;
      const since = performance.now();
      const asked = { ...run, wait_seconds: seconds };
      const told = await this.#persistently(signal, waiting.executionId !== null, () =>
        this.#tool('execute_task', asked, signal, seconds * 1_000 + OVERDUE_MS, waiting.tell),
      );
      const result = executionIn(told);
      waiting.executionId = result.execution_id;
      if (isSettled(result)) return result;
      if (performance.now() - since < SHORTEST_WAIT_MS) await pause(POLL_MS, anyOf(signal, this.#closed.signal));
    }
  }

  #read(tool: string, args: Fields, signal: AbortSignal | undefined): Promise<Fields> {
    return this.#persistently(signal, false, () => this.#tool(tool, args, signal, OVERDUE_MS));
  }

  /** Works again after a connection broke, and, for what has begun, after the server asked to come later. */
  async #persistently<Value>(
    signal: AbortSignal | undefined,
    hasBegun: boolean,
    work: () => Promise<Value>,
  ): Promise<Value> {
    const until = anyOf(signal, this.#closed.signal);
    let brokenSince: number | null = null;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RatchetClientError)) throw error;
        if (hasBegun && error.retryAfterMs !== null) {
          await pause(error.retryAfterMs, until);
          continue;
        }
        if (error.code !== 'connection_lost') throw error;
        brokenSince ??= performance.now();
        if (performance.now() - brokenSince + pauseMs > this.#reconnectMs) throw error;
        await pause(pauseMs, until);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  #tool(
    name: string,
    args: Fields,
    signal: AbortSignal | undefined,
    ms: number,
    onProgress?: Asking['onProgress'],
  ): Promise<Fields> {
    return this.#within(ms, signal, async (until) => {
      const channel = await abortable(this.#connected(), until);
      return answerOf(await channel.request('tools/call', { name, arguments: args }, { signal: until, onProgress }));
    });
  }

  /** Fails with `connection_lost` for an answer that is overdue. */
  async #within<Value>(
    ms: number,
    signal: AbortSignal | undefined,
    work: (until: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(connectionLost(`no answer within ${ms} ms`)), ms);
    try {
      return await work(anyOf(signal, this.#closed.signal, overdue.signal));
    } finally {
      clearTimeout(timer);
    }
  }

  /** The first contact chooses the way; one that fails is told at once, for more often than not the address is wrong. */
  #connected(): Promise<Channel> {
    const known = this.#channel ?? this.#within(OVERDUE_MS, undefined, (until) => this.#connect(until));
    this.#channel = known;
    known.catch(() => {
      if (this.#channel === known) this.#channel = null;
    });
    return known;
  }

  async #connect(signal: AbortSignal): Promise<Channel> {
    try {
      if (this.#transport === 'sse') return await contacted(new SseChannel(this.#server), 'ping', signal);
      try {
        return await contacted(new HttpChannel(this.#server), 'server/discover', signal);
      } catch (error) {
        if (this.#transport === 'http' || !isAbsent(error)) throw error;
        return await contacted(new SseChannel(this.#server), 'ping', signal);
      }
    } catch (error) {
      if (!(error instanceof RatchetClientError) || error.code !== 'connection_lost') throw error;
      throw new RatchetClientError('unreachable', error.message, { retryable: true, cause: error });
    }
  }
}

/** What is known of an execution while it is waited for. */
class Waiting {
  executionId: string | null = null;
  readonly tell: Asking['onProgress'];
  #percent = -1;

  constructor(onProgress: ExecuteOptions['onProgress']) {
    if (onProgress === undefined) return;
    this.tell = (percent, message) => {
      // After a cut, what was told before is told again.
      if (percent < this.#percent) return;
      this.#percent = percent;
      onProgress({ percent, message, executionId: this.executionId });
    };
  }
}

async function contacted(channel: Channel, method: string, signal: AbortSignal): Promise<Channel> {
  await channel.request(method, {}, { signal });
  return channel;
}

/** @returns whether the server is there, but does not speak this way. */
function isAbsent(error: unknown): boolean {
  return error instanceof RatchetClientError && [404, 405].includes(Number(error.details['status']));
}

/** Pages that came without encryption have no `randomUUID`. */
function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
