/** Clients of subscriptions: the library that browsers use over WebSocket, and a reader of event streams. */
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { eventually } from './server.ts';

/** What a subscription tells: those of these that were asked for. */
export interface Result {
  readonly type: string;
  readonly status: string | null;
  readonly executionId: string;
  readonly execution: unknown;
  readonly progress: unknown;
  readonly line: { readonly level: string; readonly message: string };
  readonly step: { readonly kind: string; readonly status: string } | null;
  readonly span: unknown;
  readonly task: { readonly name: string; readonly status: string };
  readonly data: { readonly reason?: string; readonly message?: string };
}

type Results = Readonly<Record<string, Result | null>>;
type Problem = Readonly<Record<string, unknown>>;

export interface Heard {
  readonly results: readonly Result[];
  readonly errors: readonly Problem[];
  /** Resolves when the server has said that nothing more comes; rejects when the subscription broke off. */
  readonly completed: Promise<void>;
  /** Waits for a result. */
  until(what: string, fits: (result: Result) => boolean): Promise<Result>;
  stop(): Promise<void>;
}

export interface SocketOptions {
  readonly connectionParams?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
}

/** Subscribes over WebSocket. */
export function subscribe(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
  { connectionParams = {}, headers = {} }: SocketOptions = {},
): Heard {
  class Socket extends WebSocket {
    constructor(address: string, protocols: string | string[]) {
      super(address, protocols, { headers });
    }
  }
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: Socket,
    connectionParams,
    retryAttempts: 0,
    lazyCloseTimeout: 0,
  });
  const heard = listening(async () => client.dispose());
  client.subscribe<Results>(
    { query, variables },
    {
      next: ({ data, errors }) => heard.take({ data, errors: errors?.map((error) => ({ ...error })) }),
      error: heard.fail,
      complete: heard.end,
    },
  );
  return heard.told;
}

/** Subscribes over server-sent events. */
export function stream(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Heard {
  const gone = new AbortController();
  const heard = listening(async () => gone.abort());
  const read = async (): Promise<void> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...headers },
      body: JSON.stringify({ query, variables }),
      signal: gone.signal,
    });
    if (response.status !== 200 || response.body === null)
      throw new Error(`${response.status}: ${await response.text()}`);
    let waiting = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const parts = `${waiting}${chunk}`.split('\n\n');
      waiting = parts.pop() ?? '';
      for (const part of parts) {
        const event = /^event: (\w+)$/m.exec(part)?.[1];
        const data = /^data: (.+)$/m.exec(part)?.[1];
        if (event === 'next') heard.take(JSON.parse(data ?? ''));
        if (event === 'complete') return heard.end();
      }
    }
    throw new Error('the stream ended without having been completed');
  };
  read().catch(heard.fail);
  return heard.told;
}

function listening(stop: () => Promise<void>) {
  const results: Result[] = [];
  const errors: Problem[] = [];
  const { promise: completed, resolve: end, reject: fail } = Promise.withResolvers<void>();
  completed.catch(() => undefined);
  const told: Heard = {
    results,
    errors,
    completed,
    until: (what, fits) =>
      Promise.race([
        eventually(what, () => results.find(fits)),
        completed.then(() => {
          const found = results.find(fits);
          if (found === undefined) throw new Error(`ended before: ${what}`);
          return found;
        }),
      ]),
    stop,
  };
  return {
    told,
    end,
    fail,
    take: (result: { data?: Results | null | undefined; errors?: readonly Problem[] | undefined }) => {
      if (result.errors !== undefined) errors.push(...result.errors);
      for (const value of Object.values(result.data ?? {})) if (value !== null) results.push(value);
    },
  };
}
