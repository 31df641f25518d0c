/** The register of all built-in projections. */
import { accessKeys } from './access-key.ts';
import { audit } from './audit.ts';
import { batches, batchItems } from './batch.ts';
import { deliveries } from './delivery.ts';
import { dispatch } from './dispatch.ts';
import { executions, steps } from './execution.ts';
import type { Projection } from './projection.ts';
import { replays } from './replay.ts';
import { schedules } from './schedule.ts';
import { tasks } from './task.ts';
import { logLines, spans } from './telemetry.ts';
import { workers } from './worker.ts';

export const PROJECTIONS: readonly Projection[] = [
  tasks,
  executions,
  steps,
  logLines,
  spans,
  audit,
  dispatch,
  workers,
  replays,
  schedules,
  batches,
  batchItems,
  deliveries,
  accessKeys,
];
