/** Ends a subscription the moment it is aborted, also while what it reads from does not answer. */

/** Pages of `pages` until `signal` aborts; what is read at that moment ends by itself and is told to nobody. */
export async function* untilAborted<Page>(
  pages: AsyncGenerator<Page, void>,
  signal: AbortSignal,
): AsyncGenerator<Page, void> {
  const { promise: aborted, resolve } = Promise.withResolvers<null>();
  const abort = (): void => resolve(null);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    for (;;) {
      const next = pages.next();
      // Nobody is left to be told of its failure.
      next.catch(() => undefined);
      const result = await Promise.race([aborted, next]);
      if (result === null || result.done === true) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
