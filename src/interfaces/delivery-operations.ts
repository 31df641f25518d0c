/** What can be asked about deliveries of results: look at them, and have one tried again. */
import { z } from 'zod';
import { redeliver } from '../../commands/delivery.ts';
import { handle } from '../../commands/handle.ts';
import { deliveryId, getDelivery, listDeliveries } from '../../queries/delivery.ts';
import { command, metaOf, type Operation, query } from './operation.ts';

export const DELIVERY_OPERATIONS: readonly Operation[] = [
  query(listDeliveries),
  query(getDelivery),
  command({
    name: redeliver.name,
    permission: redeliver.permission,
    description: 'Send a result to its target again, at once: one that was given up, that waits, or that had arrived.',
    input: z.strictObject({ delivery_id: deliveryId, reason: z.string().max(1024).optional() }),
    run: async (core, input, caller) => {
      const { resultTargets: targets } = core.execute;
      const given = { deliveryId: input.delivery_id, reason: input.reason ?? null, targets };
      const { state, changed, position } = await handle(
        core.execute,
        redeliver,
        given,
        metaOf(core, caller, redeliver.name, input),
      );
      return { delivery_id: input.delivery_id, status: state.status, changed, position };
    },
  }),
];
