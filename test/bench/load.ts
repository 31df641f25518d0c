/** The bench's side of the processes that make load and that serve the bare route. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface ClosedLoad {
  readonly kind: 'closed';
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string | null;
  readonly connections: number;
  readonly ms: number;
}

export interface OpenLoad {
  readonly kind: 'open';
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Task to run; it calls the address in its input. Null for a request without a body. */
  readonly task: string | null;
  readonly connections: number;
  readonly perSecond: number;
  readonly ms: number;
}

export type ToLoad = ClosedLoad | OpenLoad;

export type FromLoad =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'closed'; readonly rate: number }
  | { readonly kind: 'open'; readonly starts: readonly number[]; readonly ends: readonly number[] }
  | { readonly kind: 'failed'; readonly message: string };

/** A child of ours that listens; ended with the scope. */
export interface Helper extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

export interface LoadProcess extends Helper {
  /** Requests each second over all connections. */
  closed(load: Omit<ClosedLoad, 'kind'>): Promise<number>;
  /** Milliseconds from the intended send to the first call of the task, and to the answer; ascending. */
  open(load: Omit<OpenLoad, 'kind'>): Promise<{ starts: readonly number[]; ends: readonly number[] }>;
}

export async function startLoad(): Promise<LoadProcess> {
  const { child, helper } = await startChild(new URL('./load-process.ts', import.meta.url));
  const ask = async (message: ToLoad): Promise<FromLoad> => {
    child.send(message);
    const [answer] = (await once(child, 'message')) as [FromLoad];
    if (answer.kind === 'failed') throw new Error(answer.message);
    return answer;
  };
  return {
    ...helper,
    closed: async (load) => {
      const answer = await ask({ kind: 'closed', ...load });
      if (answer.kind !== 'closed') throw new Error('the load answered something else');
      return answer.rate;
    },
    open: async (load) => {
      const answer = await ask({ kind: 'open', ...load });
      if (answer.kind !== 'open') throw new Error('the load answered something else');
      return answer;
    },
  };
}

/** A fastify route with the plugins of the product that answers `body` at every GET. */
export async function startBareRoute(body: string): Promise<Helper> {
  return (await startChild(new URL('./bare-route.ts', import.meta.url), [body])).helper;
}

/** A server of the bare MCP library over HTTP. @param file with {tools, result} as JSON */
export async function startBareMcp(file: string): Promise<Helper> {
  return (await startChild(new URL('./bare-mcp.ts', import.meta.url), ['http', file])).helper;
}

async function startChild(file: URL, args: readonly string[] = []): Promise<{ child: ChildProcess; helper: Helper }> {
  const child = fork(file, args, { execArgv: [] });
  const [ready] = (await once(child, 'message')) as [FromLoad];
  if (ready.kind !== 'ready') throw new Error(`${file.pathname} did not become ready`);
  const end = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    child.disconnect();
    await once(child, 'exit');
  };
  return { child, helper: { url: ready.url, pid: child.pid ?? -1, [Symbol.asyncDispose]: end } };
}
