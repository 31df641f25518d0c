/** The process in which task code runs: reads a message, runs one turn, writes what happened, and nothing besides. */
import { setPriority } from 'node:os';
import { Channel } from './channel.ts';
import { ContextFactory } from './context.ts';
import { Execution } from './execution.ts';
import { hardenIntrinsics } from './harden.ts';
import { clearLeftovers } from './leftovers.ts';
import type { StartMessage, ToChild } from './protocol.ts';

/** Below the server, above what a system runs when idle. */
const NICENESS = 5;

const channel = new Channel();
const contexts = new ContextFactory();

/** Waits for the server. Without it there is nothing left to do. */
function read(): ToChild {
  const message = channel.read();
  if (message === null) process.exit(0);
  return message;
}

/** Between executions the loop turns once, so that what Node does in the background gets done. */
function loopTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function execute(start: StartMessage): void {
  const context = contexts.take();
  const execution = new Execution(start, {
    write: (json) => channel.write(json),
    read,
    loadModule: (name) => context.loadModule(name),
  });
  context.begin(start, execution, contexts.script(start.code));
  execution.tellTurn(null);
  while (!execution.finished) {
    const message = read();
    if (message.type === 'drop') return;
    if (message.type !== 'deliver') continue;
    execution.enterRoot();
    context.turn(() => execution.deliver(message.delivery));
    execution.tellTurn(null);
  }
}

// A task must not take the processor from the server, least of all at the moment when the server hands it a message.
setPriority(NICENESS);
hardenIntrinsics();
channel.write('{"type":"ready"}');
for (;;) {
  contexts.prepare();
  await loopTurn();
  clearLeftovers();
  const message = read();
  if (message.type === 'start') execute(message);
}
