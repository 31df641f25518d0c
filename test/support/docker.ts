/** Tells whether containers can be had, without keeping those waiting who have no Docker. */
import { getContainerRuntimeClient, ImageName } from 'testcontainers';

const PROBE_MS = 1_000;
const PULL_MS = 180_000;

/** @returns whether Docker, or what stands in for it, answers within a second. */
export async function dockerAnswers(): Promise<boolean> {
  const answer = getContainerRuntimeClient().then(
    () => true,
    () => false,
  );
  return within(PROBE_MS, answer, false);
}

/** @returns null when the image is there, or has been fetched; else why not. */
export async function fetchImage(name: string): Promise<string | null> {
  const fetched = getContainerRuntimeClient()
    .then(({ image }) => image.pull(ImageName.fromString(name)))
    .then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  return within(PULL_MS, fetched, `it did not come within ${PULL_MS / 1_000} s`);
}

async function within<Result>(ms: number, result: Promise<Result>, late: Result): Promise<Result> {
  const { promise, resolve } = Promise.withResolvers<Result>();
  const timer = setTimeout(() => resolve(late), ms);
  try {
    return await Promise.race([result, promise]);
  } finally {
    clearTimeout(timer);
  }
}
