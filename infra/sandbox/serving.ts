/** What a task's process does all its life: reads a message, runs one turn, writes what happened. Plain and debugged ones share it. */
import { setPriority } from 'node:os';
import type { Channel } from './channel.ts';
import { ContextFactory } from './context.ts';
import { Execution } from './execution.ts';
import { hardenIntrinsics } from './harden.ts';
import { clearLeftovers } from './leftovers.ts';
import type { StartMessage, ToChild } from './protocol.ts';

/** Below the server, above what a system runs when idle. */
const NICENESS = 5;

/** Called when the task asks for the step of a path, and with {@link MAIN_PLACE} before its main function is called. */
export type Passing = (place: string) => void;

/** Between executions the loop turns once, so that what Node does in the background gets done. */
function loopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Serves until the server is gone. Call once, when everything is loaded. */
export async function serve(channel: Channel, passing?: Passing): Promise<never> {
  const contexts = new ContextFactory();
  // A task must not take the processor from the server, least of all at the moment when the server hands it a message.
  setPriority(NICENESS);
  hardenIntrinsics();
  channel.write('{"type":"ready"}');
  for (;;) {
    contexts.prepare();
    await loopTurn();
    clearLeftovers();
    const message = read(channel);
    if (message.type === 'start') execute(message, channel, contexts, passing);
  }
}

/** Waits for the server. Without it there is nothing left to do. */
function read(channel: Channel): ToChild {
  const message = channel.read();
  if (message === null) process.exit(0);
  return message;
}

function execute(start: StartMessage, channel: Channel, contexts: ContextFactory, passing: Passing | undefined): void {
  const context = contexts.take();
  const execution = new Execution(start, {
    write: (json) => channel.write(json),
    read: () => read(channel),
    loadModule: (name) => context.loadModule(name),
    passing,
  });
  context.begin(start, execution, contexts.script(start.code));
  execution.tellTurn(null);
  while (!execution.finished) {
    const message = read(channel);
    if (message.type === 'drop') return;
    if (message.type !== 'deliver') continue;
    execution.enterRoot();
    context.turn(() => execution.deliver(message.delivery));
    execution.tellTurn(null);
  }
}
