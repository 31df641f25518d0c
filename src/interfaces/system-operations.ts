/** What can be asked about the service itself: its workers, its task sources, and how it is doing. */
import { z } from 'zod';
import { countWork } from '../../queries/dispatch.ts';
import { executionStats } from '../../queries/stats.ts';
import { listWorkers } from '../../queries/worker.ts';
import type { SourceStatus } from '../domain/source-status.ts';
import { isoTime } from '../domain/time.ts';
import { command, type Operation, query } from './operation.ts';

function told({ source, uri, ref, branch, revision, tasks, published, broken, error, syncedAt }: SourceStatus) {
  const failed = revision === null ? 'unreadable' : 'last good copy';
  const status = error !== null ? failed : broken.length > 0 ? 'broken tasks' : 'ok';
  return { name: source, uri, ref, branch, revision, status, tasks, published, broken, error, last_sync_at: syncedAt };
}

export const SYSTEM_OPERATIONS: readonly Operation[] = [
  query(listWorkers),
  command({
    name: 'list_sources',
    permission: 'access_system_info',
    description: 'Where tasks come from, and how each place was last read by this server.',
    input: z.strictObject({}),
    run: async (core) => ({ sources: core.sources.list().map(told) }),
  }),
  command({
    name: 'sync_source',
    permission: 'manage_tasks',
    description: 'Read a source now and publish what is new.',
    input: z.strictObject({ source: z.string().min(1).max(128) }),
    run: async (core, input) => told(await core.sources.sync(input.source)),
  }),
  command({
    name: 'network_interfaces',
    permission: 'access_system_info',
    description: 'The network interfaces of the machine that this server runs on, with their addresses.',
    input: z.strictObject({}),
    run: async (core) => ({ interfaces: core.network.interfaces() }),
  }),
  command({
    name: 'get_stats',
    permission: 'read',
    description:
      'Executions by status, durations and failures by task over a window of time, the queue, events a second.',
    input: z.strictObject({
      window_seconds: z.coerce.number().int().min(1).max(604_800).default(3_600).describe('Of what has ended.'),
    }),
    run: async (core, input, { principal }) => {
      const now = core.execute.runtime.now();
      const since = now - input.window_seconds * 1_000;
      const { pending } = await countWork(core.query.db);
      return {
        since: isoTime(since),
        ...(await executionStats(core.query, since, principal.tasks)),
        queue: { pending, here: core.execute.dispatcher.queued() },
        events_per_second: core.eventRate(),
      };
    },
  }),
];
