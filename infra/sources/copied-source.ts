/** A source whose files are elsewhere: brought here, listed as a folder, and served from the last good copy while it is away. */
import { setInterval } from 'node:timers/promises';
import { asRatchetError } from '../../src/domain/errors.ts';
import type { TaskSource } from '../../src/ports/task-source.ts';
import { folderSource } from '../task-source.ts';
import type { Copy } from './copies.ts';

/** Longest interval that timers know. */
const LONGEST_MS = 2_147_483_647;

export interface CopiedSourceOptions {
  readonly name: string;
  readonly address: string;
  readonly ref: string | null;
  readonly isRemote: boolean;
  /** The last good copy, if it may still be used. */
  usable(): Promise<Copy | null>;
  /** Brings what is there now. Fails with the errors that the port names. */
  refresh(usable: Copy | null): Promise<Copy>;
  watch(onChange: () => void, signal: AbortSignal): Promise<void>;
}

export function copiedSource({ usable, refresh, ...source }: CopiedSourceOptions): TaskSource {
  const { name } = source;
  return {
    ...source,
    list: async () => {
      const { copy, stale } = await refreshed(await usable(), refresh);
      const { tasks, broken } = await folderSource({ name, root: copy.folder }).list();
      return { tasks, broken, revision: copy.revision, branch: copy.branch, stale };
    },
  };
}

async function refreshed(good: Copy | null, refresh: CopiedSourceOptions['refresh']) {
  try {
    return { copy: await refresh(good), stale: null };
  } catch (error) {
    if (good === null) throw error;
    return { copy: good, stale: { reason: asRatchetError(error).message, since: good.since } };
  }
}

/** Calls after each `pollMs`, never where it is null, until the signal aborts. */
export async function polled(pollMs: number | null, onChange: () => void, signal: AbortSignal): Promise<void> {
  if (pollMs === null || signal.aborted) return;
  try {
    for await (const _ of setInterval(Math.min(pollMs, LONGEST_MS), null, { signal, ref: false })) onChange();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
