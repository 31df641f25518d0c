/** Keeps the last good copy of a remote source: made beside it, then put in place in one step, so that a crash leaves the old one. */
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../folder.ts';

const fields = z.object({
  /** Folder of the copy, beside the file that names it. */
  copy: z.string().regex(/^copy-[\w-]+$/),
  /** Folder inside the copy that the tasks are in. */
  inside: z.string(),
  revision: z.string(),
  branch: z.string().nullable(),
  etag: z.string().nullable(),
  /** When the source was last known to hold this, ISO 8601. */
  since: z.string(),
});

type Fields = z.infer<typeof fields>;
/** What a new copy is of. */
export type CopyFacts = Pick<Fields, 'inside' | 'revision' | 'branch' | 'etag'>;
export type Copy = Omit<Fields, 'copy' | 'inside'> & { readonly folder: string };

const CURRENT = 'current.json';

export interface SourceCopies {
  /** The last good copy; null where there is none that can be read. */
  current(): Promise<Copy | null>;
  /** Notes that the source still holds what was copied. */
  confirm(facts: Partial<Pick<Copy, 'branch' | 'etag'>>): Promise<Copy>;
  /** Makes a copy by `fill`, which writes into an empty folder, and puts it in place. Fails as `fill` does; the old one then stays. */
  replace(fill: (folder: string) => Promise<CopyFacts>): Promise<Copy>;
}

/**
 * @param place folder for the copies of this one source
 * @param now milliseconds since the epoch
 */
export function openCopies(place: string, now: () => number): SourceCopies {
  clearLeftovers(place);
  const read = async (): Promise<Fields | null> => {
    const text = await readFile(join(place, CURRENT), 'utf8').catch(() => null);
    const known = text === null ? null : fields.safeParse(parsed(text));
    if (known?.success !== true) return null;
    const folder = await stat(join(place, known.data.copy, known.data.inside)).catch(() => null);
    return folder?.isDirectory() === true ? known.data : null;
  };
  const note = async (known: Fields): Promise<Copy> => {
    const part = join(place, partName());
    await writeFile(part, JSON.stringify(known));
    await rename(part, join(place, CURRENT));
    return told(place, known);
  };
  const since = (): string => new Date(now()).toISOString();
  return {
    current: async () => {
      const known = await read();
      return known === null ? null : told(place, known);
    },
    confirm: async (facts) => {
      const known = await read();
      if (known === null) throw new Error('the copy that was to be confirmed is gone');
      return note({ ...known, ...facts, since: since() });
    },
    replace: async (fill) => {
      makeFolder(place);
      const before = await read();
      const part = join(place, partName());
      try {
        await mkdir(part);
        const facts = await fill(part);
        const copy = `copy-${process.pid}-${randomBytes(6).toString('hex')}`;
        await rename(part, join(place, copy));
        const made = await note({ ...facts, copy, since: since() });
        // Whoever still reads the one before may do so until the next.
        await removeOthers(place, [copy, before?.copy ?? copy]);
        return made;
      } finally {
        await rm(part, { recursive: true, force: true });
      }
    },
  };
}

function told(place: string, { copy, inside, ...known }: Fields): Copy {
  return { ...known, folder: join(place, copy, inside) };
}

function partName(): string {
  return `part-${process.pid}-${randomBytes(6).toString('hex')}`;
}

/** What a process left that died while it copied. One that lives may still be at it. */
function clearLeftovers(place: string): void {
  const names = listed(place);
  for (const name of names) {
    const pid = Number(/^part-(\d+)-/.exec(name)?.[1] ?? Number.NaN);
    if (pid === process.pid || (pid > 0 && !isAlive(pid))) rmSync(join(place, name), { recursive: true, force: true });
  }
}

function listed(place: string): readonly string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function removeOthers(place: string, kept: readonly string[]): Promise<void> {
  for (const name of await readdir(place)) {
    if (name.startsWith('copy-') && !kept.includes(name)) await rm(join(place, name), { recursive: true, force: true });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
