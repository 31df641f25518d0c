/** Tells which resources have changed, from the log itself: one reading of it for everybody who watches. */
import { setTimeout } from 'node:timers/promises';
import type { ServerEvent, ServerEventBus } from '@modelcontextprotocol/server';
import { categoryOf, idOf, type Position, type StoredEvent } from '../../domain/event.ts';
import type { EventStore } from '../../ports/event-store.ts';
import type { TaskDirectory } from '../../ports/task-directory.ts';
import { executionUri, taskUri } from './resource-uri.ts';

export interface ResourceChangesDeps {
  readonly store: Pick<EventStore, 'subscribe' | 'head'>;
  readonly directory: TaskDirectory;
  readonly onTrouble: (error: unknown) => void;
}

type Watcher = (uris: readonly string[]) => void;

const AGAIN_MS = 1_000;
const CATEGORIES = ['execution', 'telemetry', 'task'] as const;

/** The log is read only while somebody watches. */
export class ResourceChanges implements ServerEventBus {
  readonly #deps: ResourceChangesDeps;
  readonly #watchers = new Set<Watcher>();
  #reading: AbortController | null = null;

  constructor(deps: ResourceChangesDeps) {
    this.#deps = deps;
  }

  /** @returns what ends the watching. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    if (this.#reading === null) {
      this.#reading = new AbortController();
      void this.#read(this.#reading.signal);
    }
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      this.#reading?.abort();
      this.#reading = null;
    };
  }

  /** For the streams of the newer era: each takes what it asked for. */
  subscribe(listener: (event: ServerEvent) => void): () => void {
    return this.watch((uris) => {
      for (const uri of uris) listener({ kind: 'resource_updated', uri });
    });
  }

  publish(): void {
    throw new Error('changes come from the log alone');
  }

  /** Goes on where it was after an error of the store, a second later. */
  async #read(signal: AbortSignal): Promise<void> {
    const { store, onTrouble } = this.#deps;
    let position: Position | null = null;
    while (!signal.aborted) {
      try {
        position ??= await store.head();
        for await (const page of store.subscribe(position, { categories: CATEGORIES }, signal)) {
          this.#tell([...new Set(page.events.flatMap((event) => this.#changedBy(event)))]);
          position = page.position;
        }
        return;
      } catch (error) {
        if (signal.aborted) return;
        onTrouble(error);
        await setTimeout(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #tell(uris: readonly string[]): void {
    if (uris.length > 0) for (const watcher of this.#watchers) watcher(uris);
  }

  #changedBy({ stream, type }: StoredEvent): readonly string[] {
    const id = idOf(stream);
    switch (categoryOf(stream)) {
      case 'execution':
        return [executionUri(id), executionUri(id, 'trace')];
      case 'telemetry':
        return [TELEMETRY[type]?.(id) ?? executionUri(id)];
      case 'task': {
        const task = this.#deps.directory.find(id);
        return task === undefined ? [] : [taskUri(task.name)];
      }
      default:
        return [];
    }
  }
}

const TELEMETRY: Readonly<Record<string, (id: string) => string>> = {
  LogLineWritten: (id) => executionUri(id, 'logs'),
  SpanRecorded: (id) => executionUri(id, 'trace'),
};
