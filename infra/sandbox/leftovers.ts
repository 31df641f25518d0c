/** What an execution leaves outside the heap: freed before the next one, against whose limit it would count. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Below this the engine's own collector is soon enough. */
const TOLERATED_BYTES = 16 * 1024 * 1024;

/** The flag is taken back at once, so that no context of a task offers the collector. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}

const collect = findCollector();

/** Call between executions. Costs a few microseconds unless the last one used much. */
export function clearLeftovers(): void {
  if (getHeapStatistics().external_memory > TOLERATED_BYTES) collect();
}
