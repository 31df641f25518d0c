/** Facts about worker sessions: one lease for all executions that a process runs. */
import type { Fact } from './event.ts';

export type WorkerEvent =
  | Fact<
      'WorkerSessionStarted',
      {
        readonly sessionId: string;
        readonly host: string;
        readonly pid: number;
        readonly node: string;
        /** How many executions it runs at once. */
        readonly capacity: number;
        readonly isolation: string;
        /** Milliseconds after the last heartbeat when others may take over its executions. */
        readonly leaseMs: number;
      }
    >
  | Fact<'WorkerHeartbeat', { readonly sessionId: string; readonly running: number }>
  | Fact<'WorkerSessionEnded', { readonly sessionId: string; readonly reason: 'closed' | 'lapsed' }>;

export const WORKER_EVENT_TYPES = [
  'WorkerSessionStarted',
  'WorkerHeartbeat',
  'WorkerSessionEnded',
] as const satisfies readonly WorkerEvent['type'][];
