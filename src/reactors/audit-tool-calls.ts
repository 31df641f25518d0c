/** Writes calls of tools into the audit trail, many at once, so that a tool that only reads stays cheap. */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { systemPrincipal } from '../domain/access.ts';
import { type NewEvent, streamName } from '../domain/event.ts';
import type { CalledTool, ToolCallEvent } from '../domain/tool-call.ts';

/** How long a call may wait for others to be written with it. */
const GATHER_MS = 100;
/** Calls written at once; more do not wait. */
const MAX_GATHERED = 500;

export class ToolCallAudit {
  readonly #deps: Deps;
  readonly #onTrouble: (error: unknown) => void;
  #gathered: NewEvent[] = [];
  #timer: NodeJS.Timeout | null = null;
  #written: Promise<void> = Promise.resolve();

  constructor(deps: Deps, onTrouble: (error: unknown) => void) {
    this.#deps = deps;
    this.#onTrouble = onTrouble;
  }

  /** Is written within 100 ms, under the name of the caller. */
  note(call: CalledTool): void {
    const { runtime } = this.#deps;
    const fact: ToolCallEvent = { type: 'ToolCalled', data: call };
    const commandId = runtime.newId();
    const meta = {
      principal: { ...systemPrincipal('mcp'), id: call.principal },
      commandId,
      correlationId: call.session ?? commandId,
      causationId: null,
      traceparent: null,
      now: runtime.now(),
    };
    this.#gathered.push(...envelopes(runtime, [fact], meta));
    if (this.#gathered.length >= MAX_GATHERED) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS).unref();
  }

  /** Writes what is gathered so far. Never rejects. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const events = this.#gathered;
    this.#gathered = [];
    if (events.length > 0) this.#written = this.#written.then(() => this.#append(events));
    return this.#written;
  }

  async #append(events: readonly NewEvent[]): Promise<void> {
    try {
      await this.#deps.store.append(streamName('access', 'tool-calls'), 'any', events);
    } catch (error) {
      this.#onTrouble(error);
    }
  }
}
