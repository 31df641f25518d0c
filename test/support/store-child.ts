/** A process that appends numbered events to the log of a URL until it is ended, telling each that was acknowledged. */
import { openEventStore } from '../../infra/event-store/open.ts';
import { eventNumbered } from './store-events.ts';

const [, , url = '', stream = '', inFlight = '1', limit = 'Infinity'] = process.argv;

const store = await openEventStore(url);
process.stdout.write('ready\n');

let next = 0;
async function appendOn(): Promise<void> {
  while (next < Number(limit)) {
    const number = next;
    next += 1;
    await store.append(stream, 'any', [eventNumbered(stream, number)]);
    // Pipes are written at once, so what was acknowledged is known even if the process dies now.
    process.stdout.write(`${number}\n`);
  }
}
await Promise.all(Array.from({ length: Number(inFlight) }, appendOn));
await store.close();
