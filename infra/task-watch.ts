/** Tells when files below folders changed and came to rest, so that a half-written file is not taken for a new version. */
import { basename } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { RatchetError } from '../src/domain/errors.ts';

/** Milliseconds without a change after which files count as at rest. */
const SETTLE_MS = 250;
/** Milliseconds after which changes are told even when they go on. */
const PATIENCE_MS = 1500;
/** Milliseconds between looks where the system can not tell of changes. */
const POLL_MS = 500;

/**
 * @param folders what to watch, asked again after each change; links are not followed
 * @param onChange called once when watching has begun, then after each change that came to rest
 * @returns when the signal aborts. Fails with `internal` when the files can not be watched at all.
 */
export async function watchFolders(
  folders: () => Promise<readonly string[]>,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const outcome = await watchOnce(folders, onChange, signal, false);
  // The system's watches can run out; looking again and again needs none.
  if (outcome === 'exhausted') await watchOnce(folders, onChange, signal, true);
}

async function watchOnce(
  folders: () => Promise<readonly string[]>,
  onChange: () => void,
  signal: AbortSignal,
  usePolling: boolean,
): Promise<'aborted' | 'exhausted'> {
  const watched = new Set(await folders());
  const watcher = watch([...watched], {
    ignoreInitial: true,
    followSymlinks: false,
    usePolling,
    interval: POLL_MS,
    ignored: (path) => !watched.has(path) && isNoise(basename(path)),
  });
  const notice = settled(async () => {
    onChange();
    const missing = (await folders()).filter((folder) => !watched.has(folder));
    for (const folder of missing) watched.add(folder);
    if (missing.length > 0) watcher.add(missing);
  });
  try {
    watcher.on('all', notice.later).on('ready', notice.later);
    return await endOf(watcher, signal);
  } finally {
    notice.stop();
    await watcher.close();
  }
}

function endOf(watcher: FSWatcher, signal: AbortSignal): Promise<'aborted' | 'exhausted'> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
    if (signal.aborted) resolve('aborted');
    watcher.on('error', (error) => {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOSPC' || code === 'EMFILE') resolve('exhausted');
      // A file that vanished while it was looked at is just a change.
      else if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM') {
        reject(new RatchetError('internal', 'the task files cannot be watched', { cause: error }));
      }
    });
  });
}

function isNoise(name: string): boolean {
  return name === 'node_modules' || name.endsWith('~') || (name.startsWith('.') && name !== '.ratchet');
}

/** Calls `work` when calls of `later` have paused for long enough, or have gone on for too long. */
function settled(work: () => Promise<void>): { later: () => void; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let first: number | null = null;
  const later = (): void => {
    const now = performance.now();
    first ??= now;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        first = null;
        void work();
      },
      Math.max(0, Math.min(SETTLE_MS, first + PATIENCE_MS - now)),
    );
  };
  return { later, stop: () => clearTimeout(timer) };
}
