/** Waits for whoever runs the process to ask for its end. */

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
