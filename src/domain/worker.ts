/** Facts about worker sessions: one lease for all executions that a process runs. */
import type { Evolution, Fact } from './event.ts';

export type WorkerEvent =
  | Fact<
      'WorkerSessionStarted',
      {
        readonly sessionId: string;
        readonly host: string;
        readonly pid: number;
        readonly node: string;
        /** How many executions it runs at once; 0 where it runs none. */
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

export type WorkerSession =
  | { readonly status: 'none' }
  | {
      readonly status: 'alive';
      readonly host: string;
      readonly pid: number;
      readonly leaseMs: number;
      readonly capacity: number;
    }
  | { readonly status: 'ended' };

export const workerSession: Evolution<WorkerSession, WorkerEvent> = {
  initial: { status: 'none' },
  evolve: (state, event) => {
    switch (event.type) {
      case 'WorkerSessionStarted': {
        const { host, pid, leaseMs, capacity } = event.data;
        return { status: 'alive', host, pid, leaseMs, capacity };
      }
      case 'WorkerHeartbeat':
        return state;
      case 'WorkerSessionEnded':
        return { status: 'ended' };
      default:
        return event satisfies never;
    }
  },
};
