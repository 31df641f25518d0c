/** Writes what a live attempt does: steps and end into the execution's stream, logs, spans and progress into its telemetry. */
import type { Deps } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import { type Fact, type StoredEvent, streamName } from '../domain/event.ts';
import type { AttemptStart, ExecutionEvent, ExecutionRequest, StoredOutcome } from '../domain/execution.ts';
import { type JournalEntry, LOG_LEVELS, type Outcome, type SpanRef, type Telemetry } from '../domain/journal.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import { traceParentHeader } from '../domain/trace.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { OpenCall, Recorder } from './attempt-plan.ts';
import { fenced, StreamWriter } from './stream-writer.ts';

export interface RecordingDeps extends Deps {
  readonly blobs: Blobs;
}

export interface RecordedAttempt {
  readonly request: ExecutionRequest;
  readonly start: AttemptStart;
  /** Version of the event that started this attempt. */
  readonly version: number;
  /** First attempt of the telemetry chain, which names its spans. */
  readonly chainAttempt: number;
  readonly telemetry: {
    /** Version of the last telemetry event; -1 for none. */
    readonly version: number;
    /** Records that earlier attempts of the chain have stored. */
    readonly stored: number;
  };
}

/** Facts that others may add to an execution while an attempt runs. */
const FROM_OUTSIDE: ReadonlySet<string> = new Set(['ExecutionCancelRequested', 'QuestionAnswered']);

/** Telemetry waits this long for company before it is appended. */
const FLUSH_MS = 50;
const FLUSH_RECORDS = 200;

export class Recording implements Recorder {
  readonly #deps: RecordingDeps;
  readonly #attempt: RecordedAttempt;
  readonly #journal: StreamWriter;
  readonly #telemetry: StreamWriter;
  readonly #minLevel: number;
  #ordinal = 0;
  #ended = false;
  #buffer: Fact[] = [];
  #timer: NodeJS.Timeout | null = null;
  #flushed: Promise<unknown> = Promise.resolve();

  constructor(deps: RecordingDeps, attempt: RecordedAttempt) {
    this.#deps = deps;
    this.#attempt = attempt;
    const { request, start } = attempt;
    const meta = {
      principal: workerPrincipal(start.worker),
      correlationId: request.parent?.executionId ?? request.executionId,
      causationId: request.executionId,
      traceparent: traceParentHeader(request.traceId, this.spanId('')),
    };
    const commandId = `run:${request.executionId}:${start.attempt}`;
    const owner = (category: 'execution' | 'telemetry', version: number) => {
      const stream = streamName(category, request.executionId);
      const fence = (events: readonly StoredEvent[]): void => {
        if (events.some((event) => !FROM_OUTSIDE.has(event.type))) throw fenced(stream);
      };
      return new StreamWriter(deps, {
        stream,
        version,
        fence,
        meta: { ...meta, commandId: `${commandId}:${category}` },
      });
    };
    this.#journal = owner('execution', attempt.version);
    this.#telemetry = owner('telemetry', attempt.telemetry.version);
    this.#minLevel = LOG_LEVELS.indexOf(request.options.logLevel);
  }

  /** W3C span id of a reference: the same in every run of the same attempt chain. */
  spanId(ref: SpanRef): string {
    const { request, chainAttempt } = this.#attempt;
    return this.#deps.runtime.sha256(`${request.executionId}\n${chainAttempt}\n${ref}`).slice(0, 16);
  }

  /** Durable before the call leaves. */
  async stepStarted(call: OpenCall): Promise<void> {
    const { path, kind, name, argsHash, turn, startedAt } = call;
    const request = await this.#deps.blobs.put(call.request);
    await this.#append({
      type: 'StepStarted',
      data: { attempt: this.#attempt.start.attempt, path, kind, name, argsHash, request, turn, clock: startedAt },
    });
  }

  async stepCompleted(entry: JournalEntry, startedAt: number): Promise<void> {
    const { path, kind, name, argsHash, turn, clock } = entry;
    const [request, outcome] = await Promise.all([this.#deps.blobs.put(entry.request), this.#stored(entry.outcome)]);
    await this.#append({
      type: 'StepCompleted',
      data: {
        attempt: this.#attempt.start.attempt,
        path,
        kind,
        name,
        argsHash,
        request,
        outcome,
        startedAt,
        turn,
        clock,
      },
    });
  }

  telemetry(records: readonly Telemetry[]): void {
    for (const record of records) {
      if (record.kind === 'log' && LOG_LEVELS.indexOf(record.level) < this.#minLevel) continue;
      const ordinal = this.#ordinal;
      this.#ordinal += 1;
      if (ordinal >= this.#attempt.telemetry.stored) this.#buffer.push(this.#fact(record, ordinal));
    }
    if (this.#buffer.length >= FLUSH_RECORDS) this.#flush();
    else if (this.#buffer.length > 0) this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** Stores the last fact of the attempt, after all its telemetry; nothing is recorded after it. */
  async end(fact: ExecutionEvent): Promise<string> {
    const isBehind = this.#telemetry.isBusy;
    this.#flush();
    // The store keeps the order of two appends made at once; behind one under way, the order is ours to keep.
    if (isBehind) await this.#flushed;
    const last = this.#append(fact);
    this.#ended = true;
    const [position] = await Promise.all([last, this.#flushed]);
    return position;
  }

  #append(fact: ExecutionEvent): Promise<string> {
    if (this.#ended) return Promise.reject(fenced(streamName('execution', this.#attempt.request.executionId)));
    return this.#journal.append([fact]);
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#buffer.length === 0) return;
    const facts = this.#buffer;
    this.#buffer = [];
    const appended = this.#telemetry.append(facts);
    this.#flushed = Promise.all([this.#flushed, appended]);
    this.#flushed.catch(() => undefined);
  }

  #fact(record: Telemetry, ordinal: number): TelemetryEvent {
    const { executionId, traceId, parentSpanId } = this.#attempt.request;
    const told = { executionId, attempt: this.#attempt.start.attempt, ordinal };
    switch (record.kind) {
      case 'log': {
        const { level, message, fields, clock } = record;
        return {
          type: 'LogLineWritten',
          data: { ...told, level, message, fields, clock, traceId, spanId: this.spanId(record.span) },
        };
      }
      case 'span': {
        const { ref, parent, name, startedAt, endedAt, ok, attributes } = record;
        const above = ref === '' ? parentSpanId : this.spanId(parent);
        const kind = ref === '' ? 'execution' : (ref.split(':')[0] ?? 'span');
        return {
          type: 'SpanRecorded',
          data: {
            ...told,
            traceId,
            spanId: this.spanId(ref),
            parentSpanId: above,
            name,
            kind,
            startedAt,
            endedAt,
            ok,
            attributes,
          },
        };
      }
      case 'progress': {
        const { progress, step, message, data, clock } = record;
        return { type: 'ProgressReported', data: { ...told, progress, step, message, data, clock } };
      }
      default:
        return record satisfies never;
    }
  }

  async #stored(outcome: Outcome): Promise<StoredOutcome> {
    return outcome.ok ? { ok: true, value: await this.#deps.blobs.put(outcome.value) } : outcome;
  }
}
