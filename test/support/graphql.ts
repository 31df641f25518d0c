/** A server in this process and a GraphQL client for it, for tests of what is said over that interface. */
import { type Server, type ServeSettings, startServer } from '../../src/cli/serve.ts';
import type { GraphqlSettings } from '../../src/interfaces/graphql/graphql.ts';
import { TEST_SETTINGS } from './app.ts';
import { type Answer, call } from './server.ts';

export const GRAPHQL: GraphqlSettings = { endpoint: '/graphql', playground: true, introspection: true };

export interface GraphqlServer extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
  /** Sends a query or a mutation; answers the whole body. */
  ask(query: string, variables?: object, headers?: Record<string, string>): Promise<GraphqlAnswer>;
  /** The data of an answer without errors. */
  data(query: string, variables?: object): Promise<Record<string, unknown>>;
  rest(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  task(name: string, code: string, more?: object): Promise<void>;
  /** Runs a task to its end; answers the id of the execution. */
  run(task: string, input?: unknown): Promise<string>;
}

export interface GraphqlAnswer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly string[];
    readonly extensions: Record<string, unknown>;
  }[];
}

export async function startGraphql(
  graphql: Partial<GraphqlSettings> = {},
  more: Partial<ServeSettings> = {},
): Promise<GraphqlServer> {
  const server = await startServer(TEST_SETTINGS, {
    host: '127.0.0.1',
    port: 0,
    restPrefix: '/api/v1',
    maxRequestBytes: 1_000_000,
    requestTimeoutMs: 30_000,
    keepAliveMs: 5_000,
    version: '1.2.3',
    graphql: { ...GRAPHQL, ...graphql },
    ...more,
  });
  const { url } = server;
  const rest: GraphqlServer['rest'] = (method, path, body, headers) =>
    call(url, method, `/api/v1${path}`, body, headers);
  const ask: GraphqlServer['ask'] = async (query, variables = {}, headers = {}) => {
    const { body } = await call(
      url,
      'POST',
      '/graphql',
      { query, variables },
      { accept: 'application/json', ...headers },
    );
    return body as GraphqlAnswer;
  };
  return {
    server,
    url,
    ask,
    rest,
    data: async (query, variables) => {
      const { data, errors } = await ask(query, variables);
      if (errors !== undefined || data === undefined || data === null) throw new Error(JSON.stringify(errors));
      return data;
    },
    task: async (name, code, extra = {}) => {
      const { status, body } = await rest('POST', '/tasks', { name, code, ...extra });
      if (status !== 201) throw new Error(JSON.stringify(body));
    },
    run: async (task, input = {}) => {
      const { body } = await rest('POST', '/tasks/execute', { task_id: task, input });
      return String(body['execution_id']);
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}
