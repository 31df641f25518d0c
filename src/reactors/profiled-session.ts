/** A sandbox session that is sampled from before its first turn until the end of its last one. */
import type { CpuProfileBuilder } from '../domain/cpu-profile.ts';
import type { Telemetry } from '../domain/journal.ts';
import type { DebuggedSession, Inspector } from '../ports/debug-sandbox.ts';
import type { Delivery, SandboxSession, TaskStart, Turn } from '../ports/sandbox.ts';

export interface SamplingOptions {
  /** Microseconds between samples. */
  readonly intervalUs: number;
  /**
   * What was sampled is fetched when it may be so many samples: in one piece, that of a long run would be too large a message.
   * After that the engine no longer tells functions that it had inlined before from their callers.
   */
  readonly pieceSamples: number;
}

export class ProfiledSession implements SandboxSession {
  readonly #session: DebuggedSession;
  readonly #sampler: Sampler;

  constructor(session: DebuggedSession, builder: CpuProfileBuilder, options: SamplingOptions) {
    this.#session = session;
    this.#sampler = new Sampler(session.inspector, builder, options);
  }

  async start(start: TaskStart, onTelemetry: (records: readonly Telemetry[]) => void): Promise<Turn> {
    await this.#sampler.begin();
    const turn = await this.#session.start(start, onTelemetry);
    if (turn.status.kind !== 'waiting') await this.#sampler.end();
    return turn;
  }

  async deliver(delivery: Delivery): Promise<Turn> {
    const turn = await this.#session.deliver(delivery);
    // Nothing is delivered after a cancellation.
    if (turn.status.kind !== 'waiting' || delivery.type === 'cancel') await this.#sampler.end();
    return turn;
  }

  kill(error: Error): void {
    this.#sampler.drop();
    this.#session.kill(error);
  }

  release(): void {
    this.#sampler.drop();
    this.#session.release();
  }
}

const US_PER_MS = 1_000;

class Sampler {
  readonly #inspector: Inspector;
  readonly #builder: CpuProfileBuilder;
  readonly #options: SamplingOptions;
  #timer: NodeJS.Timeout | undefined;
  #fetched: Promise<void> = Promise.resolve();

  constructor(inspector: Inspector, builder: CpuProfileBuilder, options: SamplingOptions) {
    this.#inspector = inspector;
    this.#builder = builder;
    this.#options = options;
  }

  async begin(): Promise<void> {
    const { intervalUs, pieceSamples } = this.#options;
    await this.#inspector.send('Profiler.enable');
    await this.#inspector.send('Profiler.setSamplingInterval', { interval: intervalUs });
    await this.#inspector.send('Profiler.start');
    this.#timer = setInterval(
      () => {
        this.#fetched = this.#fetched.then(() => this.#fetch()).then(() => this.#goOn());
        // Told by the end.
        this.#fetched.catch(() => undefined);
      },
      (intervalUs * pieceSamples) / US_PER_MS,
    );
  }

  async end(): Promise<void> {
    this.drop();
    await this.#fetched;
    await this.#fetch();
  }

  drop(): void {
    clearInterval(this.#timer);
  }

  async #fetch(): Promise<void> {
    const { profile } = await this.#inspector.send('Profiler.stop');
    this.#builder.add(profile);
  }

  async #goOn(): Promise<void> {
    await this.#inspector.send('Profiler.start');
  }
}
