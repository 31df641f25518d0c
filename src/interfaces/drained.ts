/** Waits until a slow reader has taken what was written, and leaves nothing behind for the next wait. */

interface Drainable {
  once(event: 'drain', listener: () => void): unknown;
  off(event: 'drain', listener: () => void): unknown;
}

/** Resolves when `target` can take more, or when `signal` aborts. */
export function drained(target: Drainable, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => {
    target.off('drain', end);
    signal.removeEventListener('abort', end);
    resolve();
  };
  target.once('drain', end);
  signal.addEventListener('abort', end);
  return promise;
}
