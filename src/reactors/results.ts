/** Results out, as one thing to start and to end: deliveries asked for, and brought to their targets. */
import type { ResultTargets } from '../domain/result-target.ts';
import { type DeliverDeps, ResultDeliverer } from './deliver-results.ts';
import { DeliveryRequests } from './request-deliveries.ts';

export interface Results {
  /** Asks for nothing more, and waits up to `graceMs` for what is under way. */
  close(graceMs: number): Promise<void>;
}

/** Delivers results from now on, to the targets that are not left to others. Fails with an error of the store. */
export async function startResults(deps: DeliverDeps, known: ResultTargets): Promise<Results> {
  const targets = new Map([...known].filter(([, { isLeftToOthers = false }]) => !isLeftToOthers));
  const stop = new AbortController();
  const deliverer = new ResultDeliverer(deps, targets);
  const onRequested = (deliveryId: string, target: string): void => deliverer.offer(deliveryId, target);
  const requests = new DeliveryRequests({ ...deps, onRequested }, targets);
  await requests.start(stop.signal);
  if (targets.size > 0) await deliverer.start();
  return {
    close: async (graceMs) => {
      stop.abort();
      await Promise.all([requests.close(), deliverer.close(graceMs)]);
    },
  };
}
