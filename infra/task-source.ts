/** Tasks kept as files: one task, a folder of tasks, or a repository; listed whole, watched, and no broken one hides another. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, matchesGlob, relative, resolve, sep } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import type { BrokenTask, SourceListing, TaskDefinition, TaskSource } from '../src/ports/task-source.ts';
import { isTaskFolder, readTaskFolder, TASK_FILES } from './task-folder.ts';
import { watchFolders } from './task-watch.ts';

const MAX_TASKS = 10_000;
const MAX_FOLDERS = 100_000;

export interface FolderSourceOptions {
  readonly name: string;
  /** A task folder, a folder of tasks at any depth, or a repository with `.ratchet/registry.yaml`. */
  readonly root: string;
}

/**
 * @returns a source that reads below `root`. Hidden folders and `node_modules` are skipped, folders below a task belong to it.
 *
 * `watch` also calls once when it has begun, since files may have changed before; it ends when the signal aborts.
 */
export function folderSource(options: FolderSourceOptions): TaskSource {
  const root = resolve(options.root);
  return {
    name: options.name,
    address: root,
    ref: null,
    isRemote: false,
    list: () => list(root),
    watch: async (onChange, signal) => {
      const folders = async (): Promise<readonly string[]> => {
        const found = await scan(root).catch(() => null);
        return [await realpath(root).catch(() => root), ...(found?.linked ?? [])];
      };
      await watchFolders(folders, onChange, signal);
    },
  };
}

async function list(root: string): Promise<SourceListing> {
  const { tasks: folders, broken } = await scan(root);
  const tasks: TaskDefinition[] = [];
  const places = new Map<string, string>();
  for (const folder of folders) {
    const path = relative(root, folder) || basename(root);
    try {
      const task = await readTaskFolder(folder, [root]);
      const other = places.get(task.name);
      if (other !== undefined) throw new RatchetError('invalid_task', `the name ${task.name} is taken by ${other}`);
      places.set(task.name, path);
      tasks.push(task);
    } catch (error) {
      broken.push({ path, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { tasks, broken, revision: null, branch: null, stale: null };
}

interface Scan {
  /** Task folders in the order of their paths. */
  readonly tasks: string[];
  readonly broken: BrokenTask[];
  /** Folders outside the root that links lead to. */
  readonly linked: string[];
}

async function scan(root: string): Promise<Scan> {
  const found = await stat(root).catch(() => null);
  if (found === null || !found.isDirectory()) {
    throw new RatchetError('not_found', `there is no folder ${root}`, { details: { path: root } });
  }
  const result: Scan = { tasks: [], broken: [], linked: [] };
  const entries = new Set(await readdir(root));
  if (isTaskFolder(entries)) return { ...result, tasks: [root] };
  const rules = await discoveryOf(root, result.broken);
  await walk(root, root, rules, result);
  // Code alone counts only where the caller points straight at it.
  if (result.tasks.length === 0 && (entries.has('main.js') || entries.has('task.js'))) result.tasks.push(root);
  return result;
}

type Wanted = (path: string) => boolean;

const registryFile = z.looseObject({
  discovery: z
    .looseObject({
      include_patterns: z.array(z.string()).nullish(),
      exclude_patterns: z.array(z.string()).nullish(),
    })
    .nullish(),
});

/** A pattern means a task by its folder or by one of its files, from the root of the repository. */
async function discoveryOf(root: string, broken: BrokenTask[]): Promise<Wanted> {
  const source = await readFile(join(root, '.ratchet', 'registry.yaml'), 'utf8').catch(() => null);
  if (source === null) return () => true;
  const registry = registryFile.safeParse(parsedYaml(source));
  if (!registry.success) {
    const [issue] = registry.error.issues;
    const field = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
    broken.push({ path: '.ratchet/registry.yaml', reason: `${field}${issue?.message ?? 'not valid'}` });
  }
  const include = registry.data?.discovery?.include_patterns ?? ['tasks/**'];
  const exclude = registry.data?.discovery?.exclude_patterns ?? [];
  const named = (path: string, patterns: readonly string[]): boolean => {
    const forms = [path, ...TASK_FILES.map((name) => `${path}/${name}`)];
    return patterns.some((pattern) => forms.some((form) => matchesGlob(form, pattern.replace(/^\.\/|\/$/g, ''))));
  };
  return (path) => named(path, include) && !named(path, exclude);
}

function parsedYaml(source: string): unknown {
  try {
    return parse(source) ?? {};
  } catch {
    // Told by the check as something else than an object.
    return null;
  }
}

/** Depth first in the order of names; each real folder once, so that links that lead in a circle end. */
async function walk(root: string, start: string, wanted: Wanted, result: Scan): Promise<void> {
  const visited = new Set<string>();
  const realRoot = await realpath(root);
  const pending = [start];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const real = await realpath(folder).catch(() => null);
    if (real === null || visited.has(real)) continue;
    visited.add(real);
    if (real !== realRoot && !real.startsWith(realRoot + sep)) result.linked.push(real);
    const path = relative(root, folder).split(sep).join('/');
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      result.broken.push({ path, reason: `the folder cannot be read: ${String(error)}` });
      return [];
    });
    if (folder !== root && isTaskFolder(new Set(entries.map((entry) => entry.name)))) {
      if (wanted(path)) result.tasks.push(folder);
    } else {
      const below = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map((entry) => entry.name);
      pending.push(...(await foldersIn(folder, below.filter(isVisible).sort().reverse())));
    }
    if (result.tasks.length > MAX_TASKS || visited.size > MAX_FOLDERS) {
      result.tasks.length = Math.min(result.tasks.length, MAX_TASKS);
      result.broken.push({
        path,
        reason: `more than ${MAX_TASKS} tasks or ${MAX_FOLDERS} folders: the rest is not read`,
      });
      return;
    }
  }
}

async function foldersIn(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const stats = await stat(path).catch(() => null);
    if (stats?.isDirectory() === true) found.push(path);
  }
  return found;
}

function isVisible(name: string): boolean {
  return !name.startsWith('.') && name !== 'node_modules';
}
