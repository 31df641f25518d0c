/** Waits for whoever runs the process to ask for its end. */
import type { FastifyBaseLogger } from 'fastify';

/** @returns what resolves at SIGTERM or SIGINT. A second signal ends the process at once. */
export function untilStopped(): Promise<void> {
  const stopping = Promise.withResolvers<void>();
  let asked = false;
  const stop = (): void => {
    if (asked) process.exit(1);
    asked = true;
    stopping.resolve();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  return stopping.promise;
}

/** A start, which a signal ends with the process: nothing has been acknowledged yet. Fails as the start does. */
export async function unlessStopped<T>(stopped: Promise<void>, starting: Promise<T>): Promise<T> {
  let isStarting = true;
  void stopped.then(() => {
    if (isStarting) process.exit(0);
  });
  try {
    return await starting;
  } finally {
    isStarting = false;
  }
}

/** How long an end may take beside what is waited for on purpose. */
const END_MS = 15_000;

/**
 * Waits for what serves to end, and ends the process with code 3 where that takes longer than `graceMs` and 15 s: of a
 * database that does not answer nobody takes leave.
 */
export async function endedInTime(ending: Promise<void>, graceMs: number, logger: FastifyBaseLogger): Promise<void> {
  const timer = setTimeout(() => {
    logger.error('the process ends without having closed everything: something it is connected to does not answer');
    process.exit(3);
  }, graceMs + END_MS);
  try {
    await ending;
  } finally {
    clearTimeout(timer);
  }
}
