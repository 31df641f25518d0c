/** The process in which task code runs: one thread, one socket, and nothing besides. */
import { Channel, readsOf } from './channel.ts';
import { CHANNEL_FD } from './protocol.ts';
import { serve } from './serving.ts';

await serve(new Channel(readsOf(CHANNEL_FD)));
