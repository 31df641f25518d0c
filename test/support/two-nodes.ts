/** Two apps on one database, each behind its own listener, and a way to ask now the one and now the other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppSettings } from '../../src/app.ts';
import { openTestApp, type TestApp } from './app.ts';
import { type McpServed, type McpServing, serveMcp } from './mcp.ts';

export interface Node {
  readonly app: TestApp;
  readonly served: McpServed;
}

export interface TwoNodes extends AsyncDisposable {
  readonly one: Node;
  readonly other: Node;
  /** A `fetch` for a client of the first node: `choose` names the node that gets each request. */
  through(choose: (request: Request) => Node): typeof fetch;
}

/** One file, two apps; what each listener takes is the same. */
export async function openTwoNodes(serving: McpServing = {}, overrides: Partial<AppSettings> = {}): Promise<TwoNodes> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-nodes-'));
  const settings = { ...overrides, eventStoreUrl: `sqlite:${join(folder, 'ratchet.db')}` };
  const opened: Node[] = [];
  for (let n = 0; n < 2; n += 1) {
    const app = await openTestApp(settings);
    opened.push({ app, served: await serveMcp(app, serving) });
  }
  const [one, other] = opened;
  if (one === undefined || other === undefined) throw new Error('two nodes were opened');
  return {
    one,
    other,
    through: (choose) => async (input, init) => {
      const asked = new Request(input, init);
      const { pathname, search } = new URL(asked.url);
      return fetch(`${choose(asked).served.url}${pathname}${search}`, init);
    },
    [Symbol.asyncDispose]: async () => {
      for (const { app, served } of opened) {
        await served[Symbol.asyncDispose]();
        await app[Symbol.asyncDispose]();
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}
