/** A listener with everything that each request of the product passes through, and a route that only answers. */
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { systemRuntime } from '../../infra/runtime.ts';
import { createHttp } from '../../src/interfaces/http.ts';
import { localOnly } from '../../src/interfaces/identity.ts';

const body: unknown = JSON.parse(process.argv[2] ?? '{}');
const runtime = systemRuntime();
const http = createHttp({
  logger: pino({ level: 'silent' }),
  maxRequestBytes: 1_000_000,
  requestTimeoutMs: 0,
  keepAliveMs: 60_000,
  authenticate: localOnly,
  newId: () => runtime.newId(),
  methodsAt: () => [],
  onRefusal: () => undefined,
});
http.get('/*', () => body);
await http.listen({ host: '127.0.0.1', port: 0 });
process.on('disconnect', () => process.exit());
process.send?.({ kind: 'ready', url: `http://127.0.0.1:${(http.server.address() as AddressInfo).port}` });
